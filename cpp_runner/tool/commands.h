// The commands of edge-ptf-runner. Each takes the words after its name and returns the exit code.
#pragma once

#include <string>
#include <vector>

#include "arguments.h"
#include "edge_ptf.hpp"

int info_command(const std::vector<std::string>& words);
int predict_command(const std::vector<std::string>& words);
int bench_command(const std::vector<std::string>& words);
int selftest_command(const std::vector<std::string>& words);
int verify_command(const std::vector<std::string>& words);

// The options of every command that opens a package, such as --threads. The flag is --check.
std::set<std::string> engine_options();

// Converts the options of the command line to those of the library.
edge_ptf::Options read_options(const Arguments& arguments);

// The engine that runs a package with these options: "onnxruntime 1.32.0", "onnxruntime 1.32.0 (cuda)".
std::string engine_used(const edge_ptf::Options& options);

// A text, or a pair of texts.
struct Input {
  std::string text;
  std::string pair;
  bool paired = false;
};

// One line of input: plain text, or with `json` an object with "text" and optionally "text_pair".
Input parse_input(const std::string& line, bool json, const std::string& place);

// The package: the first of the plain words.
std::string package_among(const Arguments& arguments);
