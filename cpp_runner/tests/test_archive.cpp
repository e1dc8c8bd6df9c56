// Damaged and malicious packages.
#include <random>

#include "edge_ptf.hpp"
#include "fixtures.h"
#include "package/archive.h"
#include "package/package.h"

namespace {

using edge_ptf::core::Archive;
using edge_ptf::core::Bytes;
using edge_ptf::core::Error;

// A simple zip with stored entries.
std::string zip(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string file;
  std::string directory;
  const auto put = [](std::string& out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
      out += static_cast<char>(value >> (8 * i));
    }
  };
  for (const auto& [name, content] : entries) {
    const size_t at = file.size();
    put(file, 0x04034b50, 4);
    put(file, 20, 2);
    put(file, 0, 8);
    put(file, 0, 4);  // CRC: not checked for stored entries
    put(file, content.size(), 4);
    put(file, content.size(), 4);
    put(file, name.size(), 2);
    put(file, 0, 2);
    file += name + content;
    put(directory, 0x02014b50, 4);
    put(directory, 20, 2);
    put(directory, 20, 2);
    put(directory, 0, 8);
    put(directory, 0, 4);
    put(directory, content.size(), 4);
    put(directory, content.size(), 4);
    put(directory, name.size(), 2);
    put(directory, 0, 8);
    put(directory, 0100644U << 16, 4);
    put(directory, at, 4);
    directory += name;
  }
  const size_t at = file.size();
  file += directory;
  put(file, 0x06054b50, 4);
  put(file, 0, 4);
  put(file, entries.size(), 2);
  put(file, entries.size(), 2);
  put(file, directory.size(), 4);
  put(file, at, 4);
  put(file, 0, 2);
  return file;
}

std::string reason(const std::string& file) {
  try {
    const Archive archive(Bytes(file.data(), file.size()));
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a plain zip is read") {
  const std::string file = zip({{"a.txt", "one"}, {"b/c.txt", ""}});
  const Archive archive(Bytes(file.data(), file.size()));
  CHECK(archive.read("a.txt", 3).bytes().text() == "one");
  CHECK(archive.read("b/c.txt", 0).bytes().size == 0);
  CHECK(archive.is_stored("a.txt"));
  CHECK_THROWS_AS(archive.read("a.txt", 3, /*check=*/true), Error);  // its CRC is 0 here
  CHECK_THROWS_AS(archive.read("a.txt", 2), Error);
  CHECK_THROWS_AS(archive.read("other", 2), Error);
}

TEST_CASE("names that are no plain relative paths are refused") {
  const std::string long_name(256, 'a');
  for (const char* name : {"/a", "../a", "a/../b", "a//b", "a/", "", ".", "a\\b", "c:a", "a ", "a/b.", "\x01",
                           "caf\xc3\xa9", long_name.c_str()}) {
    CAPTURE(name);
    CHECK(reason(zip({{name, "x"}})).find("not a plain relative path") != std::string::npos);
  }
  CHECK(reason(zip({{"a", "x"}, {"a", "y"}})).find("twice") != std::string::npos);
  CHECK(reason(zip({{"a", "x"}, {"A", "y"}})).find("same name") != std::string::npos);
  CHECK(reason(zip({{"a", "x"}, {"A/b", "y"}})).find("file and a directory") != std::string::npos);
}

TEST_CASE("files that a device maps must begin at a multiple of 4,096 bytes") {
  CHECK(reason(zip({{"a.bin", "x"}})).find("not stored at a multiple") != std::string::npos);
  CHECK(reason(zip({{"a.onnx", "x"}})).find("not stored at a multiple") != std::string::npos);
  const std::string before(4096 - 30 - 1 - 30 - 5, 'x');
  CHECK(reason(zip({{"a", before}, {"b.bin", "x"}})).empty());
}

TEST_CASE("headers that contradict each other are refused") {
  const std::string file = zip({{"a.txt", "one"}, {"b.txt", "two"}});
  const size_t directory = file.find("PK\x01\x02");
  const auto changed = [&file](size_t at, unsigned char value) {
    std::string copy = file;
    copy[at] = static_cast<char>(value);
    return copy;
  };
  REQUIRE(reason(file).empty());
  CHECK_FALSE(reason(file.substr(0, file.size() - 1)).empty());
  CHECK_FALSE(reason(changed(directory + 8, 1)).empty());      // encrypted
  CHECK_FALSE(reason(changed(directory + 10, 12)).empty());    // bzip2
  CHECK_FALSE(reason(changed(directory + 41, 0xA0)).empty());  // a link
  CHECK_FALSE(reason(changed(directory + 24, 200)).empty());   // two sizes of a stored entry
  CHECK_FALSE(reason(changed(directory + 42, 1)).empty());     // wrong offset
  CHECK_FALSE(reason(changed(30, 'z')).empty());               // another name in the local header
  CHECK_FALSE(reason(changed(0, 'Q')).empty());
  CHECK_FALSE(reason(file + "x").empty());                                          // bytes after the end record
  CHECK_FALSE(reason(changed(file.size() - 2, 1) + "x").empty());                   // a comment
  CHECK_FALSE(reason(changed(file.size() - 2, file.size() % 256) + file).empty());  // a comment that is a zip
  CHECK_FALSE(reason(changed(28, 1)).empty());                                      // overlaps the next one
}

TEST_CASE("a package that is truncated at any place is refused") {
  const std::string file = read_file(fixture("intents.eptf"));
  for (size_t size = 0; size < file.size(); size += file.size() / 97 + 1) {
    edge_ptf_runner* runner = nullptr;
    CHECK(edge_ptf_open_memory(file.data(), size, nullptr, &runner) == EDGE_PTF_BAD_INPUT);
  }
}

TEST_CASE("a package with changed bytes is refused or answers, and verify finds the change") {
  const std::string file = read_file(fixture("intents.eptf"));
  std::mt19937 random(7);
  edge_ptf::Options choice;
  choice.check_digests = true;
  const edge_ptf_options options = choice.c_options();
  for (int turn = 0; turn < 150; ++turn) {
    std::string copy = file;
    for (int i = 0; i < 1 + turn % 3; ++i) {
      char& byte = copy[random() % copy.size()];
      byte = static_cast<char>(static_cast<unsigned char>(byte) ^ 1U << random() % 8);
    }
    edge_ptf_runner* runner = nullptr;
    if (edge_ptf_open_memory(copy.data(), copy.size(), &options, &runner) == EDGE_PTF_OK) {
      edge_ptf_result* result = nullptr;
      REQUIRE(edge_ptf_result_create(runner, &result) == EDGE_PTF_OK);
      CHECK(edge_ptf_predict(result, "turn on", EDGE_PTF_TERMINATED, nullptr, 0) == EDGE_PTF_OK);
      edge_ptf_result_destroy(result);
      edge_ptf_close(runner);
    }
  }
}
