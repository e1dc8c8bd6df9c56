// A package that was opened: the manifest is read and checked, other files are read on demand.
#pragma once

#include <string>

#include "archive.h"
#include "manifest.h"

namespace edge_ptf {

class Package {
 public:
  explicit Package(const std::string& path);
  explicit Package(Bytes content);  // which must stay as it is

  const Manifest& manifest() const { return manifest_; }
  const std::string& document() const { return document_; }  // manifest.json
  std::string digest() const;                                // of the payload
  // One file of the payload; with `check` its sha256 is compared.
  Content read(const std::string& name, bool check) const;
  // Fails where there is a verdict about another payload.
  void check_verdict() const;

 private:
  void open();

  Archive archive_;
  std::string document_;
  Manifest manifest_;
};

}  // namespace edge_ptf
