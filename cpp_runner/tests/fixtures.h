// The packages for the tests, and Python's answers.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

inline std::string fixture(const std::string& name) {
  const char* folder =
      std::getenv("EDGE_PTF_FIXTURES");  // NOLINT(concurrency-mt-unsafe): nothing changes the environment
  REQUIRE_MESSAGE(folder != nullptr, "EDGE_PTF_FIXTURES names the folder that tests.runner.fixtures wrote");
  return std::string(folder) + "/" + name;
}

inline std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  REQUIRE_MESSAGE(stream.good(), path);
  std::ostringstream content;
  content << stream.rdbuf();
  return content.str();
}

// One JSON object per line.
inline std::vector<nlohmann::json> read_cases(const std::string& name) {
  std::istringstream lines(read_file(fixture(name)));
  std::vector<nlohmann::json> found;
  for (std::string line; std::getline(lines, line);) {
    found.push_back(nlohmann::json::parse(line));
  }
  REQUIRE_FALSE(found.empty());
  return found;
}

// Texts are encoded as hexadecimal bytes, because some are not UTF-8.
inline std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}
