#include "package/package.h"

#include <nlohmann/json.hpp>

#include "sha256.h"

namespace edge_ptf::core {
namespace {

using nlohmann::json;

constexpr uint64_t kManifestLimit = 16 << 20;
constexpr const char* kManifest = "manifest.json";
constexpr const char* kVerdict = "verdict.json";

}  // namespace

Package::Package(const std::string& path) : archive_(about(path, [&] { return Archive(path); })) {
  about(path, [this] { open(); });
}

Package::Package(Bytes content) : archive_(content) {
  open();
}

void Package::open() {
  if (!archive_.has(kManifest)) {
    refuse("there is no manifest.json, so this is not a package");
  }
  const Content content = archive_.read(kManifest, kManifestLimit);
  document_ = content.bytes().text();
  manifest_ = parse_manifest(content.bytes());
  for (const FileEntry& entry : manifest_.files) {
    if (!archive_.has(entry.path)) {
      refuse(in_quotes(entry.path) + " is missing");
    }
    if (archive_.size(entry.path) != entry.size) {
      fail(in_quotes(entry.path) + " has " + std::to_string(archive_.size(entry.path)) + " bytes, not " +
           std::to_string(entry.size));
    }
  }
  for (const Graph& each : manifest_.graphs) {
    check_stored(each.file);
  }
  if (manifest_.tokenizer.tables) {
    check_stored(*manifest_.tokenizer.tables);
  }
}

void Package::check_stored(const std::string& name) const {
  if (!archive_.is_stored(name)) {
    refuse(in_quotes(name) + " is deflated; it is mapped into memory, so it must be stored");
  }
}

std::string Package::digest() const {
  return sha256({document_.data(), document_.size()});
}

Content Package::read(const std::string& name, bool check) const {
  return about(archive_.path(), [&] {
    const FileEntry& entry = manifest_.file(name);
    Content content = archive_.read(name, entry.size, check);
    if (content.bytes().size != entry.size || (check && sha256(content.bytes()) != entry.sha256)) {
      fail(in_quotes(name) + " is not what the manifest says (size or sha256 differs)");
    }
    return content;
  });
}

void Package::check_verdict() const {
  if (!archive_.has(kVerdict)) {
    return;
  }
  about(archive_.path(), [&] {
    const Content content = archive_.read(kVerdict, kManifestLimit);
    const json verdict = json::parse(content.bytes().text(), nullptr, /*allow_exceptions=*/false);
    if (!verdict.is_object() || !verdict.contains("payload")) {
      refuse("verdict.json is damaged");
    }
    if (verdict["payload"] != digest()) {
      fail("the verdict inside is about another payload");
    }
  });
}

}  // namespace edge_ptf::core
