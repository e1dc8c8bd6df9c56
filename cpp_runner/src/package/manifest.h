// manifest.json of a package. Unknown fields are ignored.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bytes.h"

namespace edge_ptf::core {

struct FileEntry {
  std::string path;
  uint64_t size = 0;
  std::string sha256;
};

struct Scheme {
  std::string precision, mode, activation, weight;
  bool reduce_range = false;
  std::string non_int8;  // the type of what is not INT8
};

struct TensorEntry {
  std::string name, dtype;
  std::vector<std::optional<uint64_t>> shape;  // empty: a dimension that changes from call to call
};

struct Graph {
  std::string name, format, file;
  std::vector<TensorEntry> inputs, outputs;
  Scheme scheme;
};

// kNumber counts the numbers of a vector: as many as the graph says.
enum class Axis : uint8_t { kBatch, kToken, kLabel, kNumber };

// A tensor that a head reads. `role` is what it is to the head, `tensor` its name in the graph.
struct HeadOutput {
  std::string role, tensor;
  std::vector<Axis> axes;
};

struct HeadSpec {
  std::string name, task, kind, graph;
  bool takes_pairs = false;
  std::vector<HeadOutput> outputs;  // in the order of the roles
  std::vector<std::string> labels;
  std::string options;  // a JSON object; the kind of head reads it
};

enum class Truncation : uint8_t { kLongestFirst, kOnlyFirst, kOnlySecond };  // which text of a pair
enum class TruncationSide : uint8_t { kRight, kLeft };                       // the end of a text that is removed

struct TokenizerEntry {
  std::string kind;         // empty without tables
  std::string huggingface;  // a file
  size_t max_length = 0;
  Truncation truncation = Truncation::kLongestFirst;
  TruncationSide truncation_side = TruncationSide::kRight;
  std::optional<std::string> tables;
  std::string unsupported;  // why there are no tables
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
  std::vector<HeadSpec> heads;
  TokenizerEntry tokenizer;
  std::string golden_file;
  size_t golden_count = 0;
  double golden_tolerance = 0;
  EngineSettings engine;
  std::map<std::string, std::string> engines;  // the engines that may run the package: name, least version
  std::vector<FileEntry> files;

  const Graph& graph(const std::string& wanted) const;  // by name
  const FileEntry& file(const std::string& path) const;
};

// Refuses a document of another major version, and references to parts that do not exist.
Manifest parse_manifest(Bytes document);

}  // namespace edge_ptf::core
