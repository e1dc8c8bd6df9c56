#include "manifest.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

namespace edge_ptf {
namespace {

using nlohmann::json;

constexpr int kMajor = 1;
constexpr size_t kLongestSequence = 65536;
constexpr size_t kMostLabels = 1 << 20;

// One value of the document and where it stands, for messages.
class Field {
 public:
  Field(const json& value, std::string place) : value_(value), place_(std::move(place)) {}

  Field operator[](const char* name) const {
    const json* found = find(name);
    if (found == nullptr) {
      refuse("manifest.json: " + below(name) + " is missing");
    }
    return {*found, below(name)};
  }

  // Absent and null mean the same.
  std::optional<Field> maybe(const char* name) const {
    const json* found = find(name);
    if (found == nullptr || found->is_null()) {
      return std::nullopt;
    }
    return Field(*found, below(name));
  }

  std::vector<Field> items(size_t most = kMostLabels) const {
    if (!value_.is_array() || value_.size() > most) {
      wrong("a list of at most " + std::to_string(most));
    }
    std::vector<Field> found;
    for (const json& item : value_) {
      found.emplace_back(item, place_ + "." + std::to_string(found.size()));
    }
    return found;
  }

  // The values of fields that may be absent.
  std::string text_or(const char* name, const char* otherwise) const {
    const auto found = maybe(name);
    return found ? found->text() : otherwise;
  }

  bool flag_or(const char* name, bool otherwise) const {
    const auto found = maybe(name);
    return found ? found->flag() : otherwise;
  }

  std::string text() const {
    if (!value_.is_string()) {
      wrong("a text");
    }
    return value_.get<std::string>();
  }

  bool flag() const {
    if (!value_.is_boolean()) {
      wrong("true or false");
    }
    return value_.get<bool>();
  }

  uint64_t whole(uint64_t least, uint64_t most) const {
    if (!value_.is_number_unsigned() || value_.get<uint64_t>() < least || value_.get<uint64_t>() > most) {
      wrong("a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return value_.get<uint64_t>();
  }

  double number() const {
    if (!value_.is_number() || !std::isfinite(value_.get<double>())) {
      wrong("a number");
    }
    return value_.get<double>();
  }

  [[noreturn]] void wrong(const std::string& wanted) const { refuse("manifest.json: " + place_ + " is not " + wanted); }

 private:
  const json* find(const char* name) const {
    if (!value_.is_object()) {
      wrong("an object");
    }
    const auto found = value_.find(name);
    return found == value_.end() ? nullptr : &*found;
  }
  std::string below(const char* name) const { return place_.empty() ? name : place_ + "." + name; }

  const json& value_;
  std::string place_;
};

std::vector<std::string> names(const Field& tensors) {
  std::vector<std::string> found;
  for (const Field& tensor : tensors.items(64)) {
    found.push_back(tensor["name"].text());
  }
  return found;
}

Graph graph(const Field& field) {
  Graph found;
  found.name = field["name"].text();
  found.file = field["file"].text();
  found.inputs = names(field["inputs"]);
  found.outputs = names(field["outputs"]);
  const Field scheme = field["scheme"];
  found.scheme = {scheme.text_or("precision", "fp32"), scheme.text_or("mode", "none"),
                  scheme.text_or("activation", "none"), scheme.text_or("weight", "none"),
                  scheme.flag_or("reduce_range", false)};
  return found;
}

TaskSpec task(const Field& field) {
  TaskSpec found;
  found.name = field["name"].text();
  for (const Field& label : field["labels"].items()) {
    found.labels.push_back(label.text());
  }
  if (found.labels.empty()) {
    field["labels"].wrong("a list of at least one label");
  }
  if (const auto label = field.maybe("out_of_scope_label")) {
    found.out_of_scope_label = label->text();
  }
  if (const auto threshold = field.maybe("threshold")) {
    found.threshold = threshold->number();
  }
  return found;
}

Head head(const Field& field) {
  Head found;
  found.name = field["name"].text();
  found.graph = field["graph"].text();
  found.output = field["output"].text();
  found.takes_pairs = field.flag_or("text_pairs", false);
  found.task = task(field["task"]);
  return found;
}

TokenizerEntry tokenizer(const Field& field) {
  TokenizerEntry found;
  found.max_length = field["max_length"].whole(1, kLongestSequence);
  const std::string strategy = field.text_or("truncation", "longest_first");
  if (strategy == "longest_first") {
    found.truncation = Truncation::kLongestFirst;
  } else if (strategy == "only_first") {
    found.truncation = Truncation::kOnlyFirst;
  } else if (strategy == "only_second") {
    found.truncation = Truncation::kOnlySecond;
  } else {
    field["truncation"].wrong("longest_first, only_first or only_second");
  }
  if (const auto tables = field.maybe("tables")) {
    found.tables = tables->text();
  }
  if (const auto reason = field.maybe("unsupported")) {
    found.unsupported = reason->text();
  }
  return found;
}

EngineSettings engine(const Field& field) {
  EngineSettings found;
  if (const auto threads = field.maybe("threads")) {
    found.threads = static_cast<int>(threads->whole(1, 64));
  }
  found.spinning = field.flag_or("spinning", found.spinning);
  found.arena = field.flag_or("arena", found.arena);
  found.affinity = field.text_or("affinity", "");
  return found;
}

FileEntry file(const Field& field) {
  FileEntry found{field["path"].text(), field["size"].whole(0, uint64_t{8} << 30), field["sha256"].text()};
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (found.sha256.size() != 64 || !std::all_of(found.sha256.begin(), found.sha256.end(), hex)) {
    field["sha256"].wrong("64 hex digits");
  }
  return found;
}

void check_version(const Field& document) {
  if (document["format"].text() != "edge-ptf-package") {
    document["format"].wrong("edge-ptf-package");
  }
  const std::string version = document["version"].text();
  const size_t dot = version.find('.');
  if (dot == 0 || dot == std::string::npos || version.substr(0, dot) != std::to_string(kMajor)) {
    refuse("package format " + version.substr(0, 20) + "; this runner reads " + std::to_string(kMajor) + ".x");
  }
}

void check_references(const Manifest& manifest) {
  std::set<std::string> files;
  for (const FileEntry& entry : manifest.files) {
    if (entry.path == "manifest.json" || !files.insert(entry.path).second) {
      refuse("manifest.json: files: '" + entry.path + "' is named twice");
    }
  }
  std::vector<std::string> needed = {manifest.golden_file};
  std::set<std::string> graphs;
  for (const Graph& each : manifest.graphs) {
    needed.push_back(each.file);
    graphs.insert(each.name);
  }
  if (manifest.tokenizer.tables) {
    needed.push_back(*manifest.tokenizer.tables);
  }
  for (const std::string& path : needed) {
    if (files.count(path) == 0) {
      refuse("manifest.json: files: '" + path + "' is not among them");
    }
  }
  for (const Head& each : manifest.heads) {
    if (graphs.count(each.graph) == 0) {
      refuse("manifest.json: heads: there is no graph '" + each.graph + "'");
    }
    const std::vector<std::string>& outputs = manifest.graph_of(each).outputs;
    if (std::find(outputs.begin(), outputs.end(), each.output) == outputs.end()) {
      refuse("manifest.json: heads: the graph '" + each.graph + "' has no output '" + each.output + "'");
    }
  }
}

}  // namespace

const Graph& Manifest::graph_of(const Head& head) const {
  return *std::find_if(graphs.begin(), graphs.end(), [&](const Graph& each) { return each.name == head.graph; });
}

const FileEntry& Manifest::file(const std::string& path) const {
  return *std::find_if(files.begin(), files.end(), [&path](const FileEntry& each) { return each.path == path; });
}

Manifest parse_manifest(Bytes document) {
  const json content = json::parse(document.text(), nullptr, /*allow_exceptions=*/false);
  if (content.is_discarded()) {
    refuse("manifest.json is damaged");
  }
  const Field root(content, "");
  check_version(root);
  Manifest manifest;
  manifest.name = root["name"].text();
  for (const Field& each : root["graphs"].items(64)) {
    manifest.graphs.push_back(graph(each));
  }
  for (const Field& each : root["heads"].items(64)) {
    manifest.heads.push_back(head(each));
  }
  if (manifest.graphs.empty() || manifest.heads.empty()) {
    refuse("manifest.json: no graph, or no head");
  }
  manifest.tokenizer = tokenizer(root["tokenizer"]);
  const Field golden = root["golden"];
  manifest.golden_file = golden.text_or("file", "golden.jsonl");
  manifest.golden_count = golden["count"].whole(0, 1 << 20);
  manifest.golden_tolerance = golden["tolerance"].number();
  if (const auto settings = root.maybe("engine")) {
    manifest.engine = engine(*settings);
  }
  for (const Field& each : root["files"].items(4096)) {
    manifest.files.push_back(file(each));
  }
  check_references(manifest);
  return manifest;
}

}  // namespace edge_ptf
