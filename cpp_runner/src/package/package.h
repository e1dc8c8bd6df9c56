// An open package. The manifest was read and checked; other files are read on demand.
#pragma once

#include <string>

#include "package/archive.h"
#include "package/manifest.h"

namespace edge_ptf::core {

// Puts the path of the package in front of the error message.
template <typename Work>
auto about(const std::string& path, Work work) {
  try {
    return work();
  } catch (const Error& error) {
    const std::string message = error.what();
    const std::string start = path + ": ";
    const bool is_named = path.empty() || message.compare(0, start.size(), start) == 0;
    throw Error(error.status(), is_named ? message : start + message);
  }
}

class Package {
 public:
  explicit Package(const std::string& path);
  explicit Package(Bytes content);  // the content must not change while the package is open

  const Manifest& manifest() const { return manifest_; }
  const std::string& document() const { return document_; }    // manifest.json
  const std::string& path() const { return archive_.path(); }  // empty for content in memory
  std::string digest() const;                                  // of the payload
  // Reads one file of the payload. With `check` its sha256 is compared.
  Content read(const std::string& name, bool check) const;
  // Fails if the verdict inside is about another payload.
  void check_verdict() const;

 private:
  void open();
  void check_stored(const std::string& name) const;

  Archive archive_;
  std::string document_;
  Manifest manifest_;
};

}  // namespace edge_ptf::core
