// manifest.json: what a package says it is. Fields that this version does not know are ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bytes.h"

namespace edge_ptf {

struct FileEntry {
  std::string path;
  uint64_t size = 0;
  std::string sha256;
};

struct Scheme {
  std::string precision, mode, activation, weight;
  bool reduce_range = false;
};

struct Graph {
  std::string name, file;
  std::vector<std::string> inputs, outputs;
  Scheme scheme;
};

struct TaskSpec {
  std::string name;
  std::vector<std::string> labels;
  std::optional<std::string> out_of_scope_label;
  std::optional<double> threshold;
};

struct Head {
  std::string name, graph, output;
  bool takes_pairs = false;
  TaskSpec task;
};

enum class Truncation { kLongestFirst, kOnlyFirst, kOnlySecond };

struct TokenizerEntry {
  size_t max_length = 0;
  Truncation truncation = Truncation::kLongestFirst;
  std::optional<std::string> tables;
  std::string unsupported;  // why there are none
};

struct EngineSettings {
  int threads = 1;
  bool spinning = false;
  bool arena = true;
  std::string affinity;
};

struct Manifest {
  std::string name;
  std::vector<Graph> graphs;
  std::vector<Head> heads;
  TokenizerEntry tokenizer;
  std::string golden_file;
  size_t golden_count = 0;
  double golden_tolerance = 0;
  EngineSettings engine;
  std::vector<FileEntry> files;

  const Head& head() const { return heads.front(); }
  const Graph& graph() const { return graph_of(head()); }
  const Graph& graph_of(const Head& head) const;
  const FileEntry& file(const std::string& path) const;
};

// Refuses a document that is not one of this major version, or refers to what it does not have.
Manifest parse_manifest(Bytes document);

}  // namespace edge_ptf
