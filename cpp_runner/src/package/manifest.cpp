#include "package/manifest.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "package/field.h"

namespace edge_ptf::core {
namespace {

using nlohmann::json;

constexpr unsigned long kMajor = 2;
constexpr size_t kLongestSequence = 65536;
constexpr size_t kMostLabels = 1 << 20;
constexpr size_t kMostParts = 64;  // graphs, heads, tensors of one graph, engines
constexpr size_t kMostAxes = 8;
constexpr size_t kMostFiles = 4096;
constexpr size_t kDeepestOption = 8;

// json::dump recurses, so the depth needs a limit.
bool is_shallow(const json& value, size_t levels) {
  return !value.is_structured() || (levels > 0 && std::all_of(value.begin(), value.end(), [levels](const json& each) {
                                      return is_shallow(each, levels - 1);
                                    }));
}

TensorEntry tensor(const Field& field) {
  TensorEntry found{field["name"].text(), field["dtype"].text(), {}};
  for (const Field& size : field["shape"].items(kMostAxes)) {
    if (size.value().is_string()) {
      found.shape.emplace_back();
    } else {
      found.shape.emplace_back(size.whole(1, UINT32_MAX));
    }
  }
  return found;
}

std::vector<TensorEntry> tensors(const Field& field) {
  std::vector<TensorEntry> found;
  for (const Field& each : field.items(kMostParts)) {
    found.push_back(tensor(each));
  }
  return found;
}

Graph graph(const Field& field) {
  Graph found;
  found.name = field["name"].text();
  found.format = field["format"].text();
  found.file = field["file"].text();
  found.inputs = tensors(field["inputs"]);
  found.outputs = tensors(field["outputs"]);
  const Field scheme = field["scheme"];
  found.scheme = {scheme.text_or("precision", "fp32"),   scheme.text_or("mode", "none"),
                  scheme.text_or("activation", "none"),  scheme.text_or("weight", "none"),
                  scheme.flag_or("reduce_range", false), scheme.text_or("non_int8_dtype", "fp32")};
  return found;
}

Axis axis(const Field& field) {
  const std::string name = field.text();
  if (name == "batch") {
    return Axis::kBatch;
  }
  if (name == "token") {
    return Axis::kToken;
  }
  if (name == "label") {
    return Axis::kLabel;
  }
  if (name == "number") {
    return Axis::kNumber;
  }
  field.wrong("batch, token, label or number");
}

HeadOutput head_output(const std::string& role, const Field& field) {
  HeadOutput found{role, field["tensor"].text(), {}};
  for (const Field& each : field["axes"].items(kMostAxes)) {
    found.axes.push_back(axis(each));
  }
  if (found.axes.empty() || std::count(found.axes.begin(), found.axes.end(), Axis::kBatch) != 1 ||
      found.axes.front() != Axis::kBatch) {
    field["axes"].wrong("a list that begins with batch, which occurs once");
  }
  if (field["dtype"].text() != "float32") {
    field["dtype"].wrong("float32");
  }
  return found;
}

HeadSpec head(const Field& field) {
  HeadSpec found;
  found.name = field["name"].text();
  found.task = field["task"].text();
  found.kind = field["kind"].text();
  found.graph = field["graph"].text();
  found.takes_pairs = field.flag_or("text_pairs", false);
  for (const auto& [role, output] : field["outputs"].members(kMostParts)) {
    found.outputs.push_back(head_output(role, output));
  }
  for (const Field& label : field["labels"].items(kMostLabels)) {
    found.labels.push_back(label.text());
  }
  const auto options = field.maybe("options");
  if (options && (!options->value().is_object() || !is_shallow(options->value(), kDeepestOption))) {
    options->wrong("an object of at most " + std::to_string(kDeepestOption) + " levels");
  }
  found.options = options ? options->value().dump(-1, ' ', /*ensure_ascii=*/true) : "{}";
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
  const std::string side = field.text_or("truncation_side", "right");
  if (side != "right" && side != "left") {
    field["truncation_side"].wrong("right or left");
  }
  found.truncation_side = side == "left" ? TruncationSide::kLeft : TruncationSide::kRight;
  if (const auto tables = field.maybe("tables")) {
    found.tables = tables->text();
    found.kind = field["kind"].text();
  }
  found.huggingface = field.text_or("huggingface", "tokenizer.json");
  found.unsupported = field.text_or("unsupported", "");
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
  char* end = nullptr;
  const unsigned long major = std::strtoul(version.c_str(), &end, 10);
  if (version.empty() || version[0] < '0' || version[0] > '9' || *end != '.') {
    document["version"].wrong("a version such as 2.0");
  }
  if (major != kMajor) {
    refuse("package format " + version.substr(0, 20) + "; this runner reads " + std::to_string(kMajor) + ".x. " +
           (major < kMajor ? "Make the package again with this edge-ptf" : "Use a newer runner"));
  }
}

template <typename Items>
void check_unique(const Items& items, const char* where) {
  std::set<std::string> names;
  for (const auto& item : items) {
    if (!names.insert(item.name).second) {
      refuse(std::string("manifest.json: ") + where + ": " + in_quotes(item.name) + " is named twice");
    }
  }
}

void check_files(const Manifest& manifest) {
  std::set<std::string> files;
  for (const FileEntry& entry : manifest.files) {
    if (entry.path == "manifest.json" || !files.insert(entry.path).second) {
      refuse("manifest.json: files: " + in_quotes(entry.path) + " is named twice");
    }
  }
  std::vector<std::string> needed = {manifest.tokenizer.huggingface, manifest.golden_file};
  for (const Graph& each : manifest.graphs) {
    needed.push_back(each.file);
  }
  if (manifest.tokenizer.tables) {
    needed.push_back(*manifest.tokenizer.tables);
  }
  for (const std::string& path : needed) {
    if (files.count(path) == 0) {
      refuse("manifest.json: files: " + in_quotes(path) + " is not among them");
    }
  }
}

void check_output(const HeadSpec& head, const HeadOutput& output, const Graph& graph) {
  const std::string place = "manifest.json: heads: ";
  const auto found = std::find_if(graph.outputs.begin(), graph.outputs.end(),
                                  [&](const TensorEntry& each) { return each.name == output.tensor; });
  if (found == graph.outputs.end()) {
    refuse(place + "the graph " + in_quotes(graph.name) + " has no output " + in_quotes(output.tensor));
  }
  if (found->dtype != "float32" || found->shape.size() != output.axes.size()) {
    refuse(place + "the output " + in_quotes(output.tensor) + " is not float32 with " +
           std::to_string(output.axes.size()) + " axes");
  }
  for (size_t i = 0; i < output.axes.size(); ++i) {
    if (output.axes[i] == Axis::kNumber && found->shape[i].value_or(0) == 0) {
      refuse(place + "the output " + in_quotes(output.tensor) + " does not say how many numbers it has");
    }
    if (output.axes[i] != Axis::kLabel) {
      continue;
    }
    if (head.labels.empty()) {
      refuse(place + in_quotes(head.name) + " has no labels");
    }
    if (found->shape[i] && *found->shape[i] != head.labels.size()) {
      refuse(place + in_quotes(head.name) + " has " + std::to_string(head.labels.size()) + " labels; its output " +
             in_quotes(output.tensor) + " has " + std::to_string(*found->shape[i]));
    }
  }
}

void check_heads(const Manifest& manifest) {
  std::map<std::string, const Graph*> graph_of_tensor;
  for (const HeadSpec& each : manifest.heads) {
    const auto named = [&](const Graph& graph) { return graph.name == each.graph; };
    if (std::none_of(manifest.graphs.begin(), manifest.graphs.end(), named)) {
      refuse("manifest.json: heads: there is no graph " + in_quotes(each.graph));
    }
    if (each.takes_pairs != manifest.heads.front().takes_pairs) {
      refuse("manifest.json: heads: some take pairs of texts, others single texts");
    }
    const Graph& graph = manifest.graph(each.graph);
    for (const HeadOutput& output : each.outputs) {
      check_output(each, output, graph);
      // Golden vectors name tensors without a graph.
      if (graph_of_tensor.emplace(output.tensor, &graph).first->second != &graph) {
        refuse("manifest.json: heads: two graphs have the output " + in_quotes(output.tensor));
      }
    }
  }
}

}  // namespace

const Graph& Manifest::graph(const std::string& wanted) const {
  return *std::find_if(graphs.begin(), graphs.end(), [&](const Graph& each) { return each.name == wanted; });
}

const FileEntry& Manifest::file(const std::string& path) const {
  return *std::find_if(files.begin(), files.end(), [&path](const FileEntry& each) { return each.path == path; });
}

Manifest parse_manifest(Bytes document) {
  const json content = json::parse(document.text(), nullptr, /*allow_exceptions=*/false);
  if (content.is_discarded()) {
    refuse("manifest.json is damaged");
  }
  const Field root(content, "manifest.json", "");
  check_version(root);
  Manifest manifest;
  manifest.name = root["name"].text();
  for (const Field& each : root["graphs"].items(kMostParts)) {
    manifest.graphs.push_back(graph(each));
  }
  for (const Field& each : root["heads"].items(kMostParts)) {
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
  for (const auto& [name, version] : root["requires"]["engines"].members(kMostParts)) {
    manifest.engines.emplace(name, version.text());
  }
  for (const Field& each : root["files"].items(kMostFiles)) {
    manifest.files.push_back(file(each));
  }
  check_unique(manifest.graphs, "graphs");
  check_unique(manifest.heads, "heads");
  check_files(manifest);
  check_heads(manifest);
  return manifest;
}

}  // namespace edge_ptf::core
