#include "engines/engine.h"

#include <algorithm>

#include "registry.h"

// Every backend of this runner: the function that returns its EngineKind. The first one that fits a package runs it.
#ifdef EDGE_PTF_TENSORRT
#define EDGE_PTF_ENGINES(REGISTER) REGISTER(onnxruntime_engine) REGISTER(tensorrt_engine)
#else
#define EDGE_PTF_ENGINES(REGISTER) REGISTER(onnxruntime_engine)
#endif

namespace edge_ptf::core {

#define EDGE_PTF_DECLARE(function) EngineKind function();
EDGE_PTF_ENGINES(EDGE_PTF_DECLARE)
#undef EDGE_PTF_DECLARE

namespace {

const std::vector<EngineKind>& kinds() {
#define EDGE_PTF_ENTRY(function) function(),
  static const std::vector<EngineKind> all = {EDGE_PTF_ENGINES(EDGE_PTF_ENTRY)};
#undef EDGE_PTF_ENTRY
  return all;
}

// Takes the number at the front, and the dot behind it.
unsigned long next_number(std::string_view& rest) {
  constexpr size_t kMostDigits = 9;
  size_t size = 0;
  unsigned long number = 0;
  for (; size < rest.size() && rest[size] >= '0' && rest[size] <= '9'; ++size) {
    number = 10 * number + static_cast<unsigned long>(rest[size] - '0');
  }
  if (size == 0 || size > kMostDigits || (size < rest.size() && (rest[size] != '.' || size + 1 == rest.size()))) {
    refuse(in_quotes(rest) + " is not a version such as 1.23");
  }
  rest.remove_prefix(std::min(size + 1, rest.size()));
  return number;
}

}  // namespace

bool is_version_at_least(std::string_view version, std::string_view least) {
  bool first = true;
  while (first || !least.empty()) {
    const unsigned long wanted = next_number(least);
    const unsigned long found = first || !version.empty() ? next_number(version) : 0;
    if (found != wanted) {
      return found > wanted;
    }
    first = false;
  }
  return true;
}

namespace {

bool runs(const EngineKind& kind, const Graph& graph) {
  return std::find(kind.formats.begin(), kind.formats.end(), graph.format) != kind.formats.end();
}

const EngineKind& prebuilt_engine_for(const Graph& graph, const Accelerator& accelerator) {
  if (!accelerator.provider.empty()) {
    refuse("options: engine_folder and provider exclude each other: TensorRT runs the engines without ONNX Runtime");
  }
  for (const EngineKind& kind : kinds()) {
    if (kind.is_prebuilt && runs(kind, graph)) {
      return kind;
    }
  }
  unavailable("options: engine_folder needs TensorRT, which this runner was built without (engines: " +
              listed(kinds()) + "); build it with -DEDGE_PTF_TENSORRT=ON");
}

}  // namespace

const EngineKind& engine_for(const Graph& graph, const std::map<std::string, std::string>& required,
                             const Accelerator& accelerator) {
  if (!accelerator.engine_folder.empty()) {
    return prebuilt_engine_for(graph, accelerator);
  }
  std::string too_old;
  bool known_format = false;
  for (const EngineKind& kind : kinds()) {
    if (kind.is_prebuilt || !runs(kind, graph)) {
      continue;
    }
    known_format = true;
    const auto least = required.find(std::string(kind.name));
    if (least == required.end()) {
      continue;
    }
    const std::string_view version = kind.version();
    if (is_version_at_least(version.substr(0, version.find_first_not_of("0123456789.")), least->second)) {
      return kind;
    }
    too_old = "the package requires " + least->first + " " + least->second.substr(0, 20) +
              " or newer; this runner has " + kind.version();
  }
  if (!known_format) {
    unavailable("no engine of this runner runs the graph format " + in_quotes(graph.format) +
                " (engines: " + listed(kinds()) + ")");
  }
  if (!too_old.empty()) {
    unavailable(too_old);
  }
  std::string names;
  for (const auto& [name, version] : required) {
    names.append(names.empty() ? "" : ", ").append(name);
  }
  unavailable("the package runs on the engines " + in_quotes(names) + "; this runner has " + listed(kinds()));
}

const std::string& engine_versions() {
  static const std::string all = [] {
    std::string found;
    for (const EngineKind& kind : kinds()) {
      found.append(found.empty() ? "" : ", ").append(kind.name).append(" ").append(kind.version());
    }
    return found;
  }();
  return all;
}

}  // namespace edge_ptf::core
