#include "engines/tensorrt/engine_key.h"

#include <nlohmann/json.hpp>

#include "engines/engine.h"
#include "package/field.h"
#include "package/package.h"
#include "sha256.h"

namespace edge_ptf::core {
namespace {

constexpr std::string_view kEngineEnd = ".engine";
constexpr int kMostCapability = 9999;

// The first three numbers of a version. Both libraries count builds in a fourth one.
std::string release_of(const std::string& version) {
  size_t end = 0;
  for (int dots = 0; end < version.size(); ++end) {
    if (version[end] == '.' && ++dots == 3) {
      break;
    }
  }
  return version.substr(0, end);
}

bool is_same_release(const std::string& one, const std::string& other) {
  return is_version_at_least(release_of(one), release_of(other)) &&
         is_version_at_least(release_of(other), release_of(one));
}

std::string shown(int compute_capability) {
  return std::to_string(compute_capability / 10) + "." + std::to_string(compute_capability % 10);
}

}  // namespace

std::string engine_path(const std::string& folder, const std::string& graph, int compute_capability) {
  if (graph.empty() || graph.find_first_of("/\\") != std::string::npos) {
    refuse("manifest.json: the graph " + in_quotes(graph) + " cannot be the name of an engine's file");
  }
  return folder + "/" + graph + ".sm" + std::to_string(compute_capability) + std::string(kEngineEnd);
}

std::string key_path(const std::string& engine) {
  return engine.substr(0, engine.size() - kEngineEnd.size()) + ".json";
}

EngineKey parse_key(Bytes document, const std::string& place) {
  const nlohmann::json content = nlohmann::json::parse(document.text(), nullptr, /*allow_exceptions=*/false);
  if (content.is_discarded()) {
    refuse(place + ": this is no JSON");
  }
  const Field field(content, place, "");
  if (field["schema_version"].whole(1, UINT32_MAX) != 1) {
    refuse(place + ": schema_version is not 1; use a newer runner");
  }
  EngineKey key;
  key.payload = field["payload"].text();
  key.graph = field["graph"].text();
  key.library = field["library"].text();
  key.version = field["version"].text();
  key.gpu = field["gpu"].text();
  key.compute_capability = static_cast<int>(field["compute_capability"].whole(1, kMostCapability));
  key.sha256 = field["sha256"].text();
  return key;
}

void unfit_engine(const std::string& place, const std::string& reason) {
  unavailable(place + ": " + reason + "; build it on this machine: edge-ptf build-engine PACKAGE --out DIR");
}

void check_key(const EngineKey& key, const EngineKey& here, Bytes engine, const std::string& place) {
  if (key.payload != here.payload) {
    unfit_engine(place, "it was built from another package");
  }
  if (key.graph != here.graph) {
    unfit_engine(place, "it was built from another graph");
  }
  if (key.library != here.library) {
    unfit_engine(place, "it was built by " + in_quotes(key.library) + ", and " + in_quotes(here.library) + " runs it");
  }
  if (!about(place, [&] { return is_same_release(key.version, here.version); })) {
    unfit_engine(
        place, "it was built by " + key.library + " " + in_quotes(key.version) + ", and " + here.version + " is here");
  }
  if (key.compute_capability != here.compute_capability) {
    unfit_engine(place, "it was built for compute capability " + shown(key.compute_capability) +
                            ", and the GPU here has " + shown(here.compute_capability));
  }
  if (!key.gpu.empty() && key.gpu != here.gpu) {
    unfit_engine(place, "it was built for the GPU " + in_quotes(key.gpu) + ", and " + in_quotes(here.gpu) + " is here");
  }
  if (sha256(engine) != key.sha256) {
    unfit_engine(place, "it is damaged (its sha256 is not the one in " + key_path(place) + ")");
  }
}

}  // namespace edge_ptf::core
