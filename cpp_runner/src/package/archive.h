// The container of a package: a zip file that is mapped into memory, or its unpacked directory. The rules are those of
// docs/package.md, section 1. Nothing is written.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bytes.h"
#include "package/zip.h"

namespace edge_ptf::core {

// A whole file, mapped read-only.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  Bytes bytes() const { return {start_, size_}; }

 private:
  void* start_ = nullptr;
  size_t size_ = 0;
};

// The content of one entry: a view into the mapped package if the entry is stored, or its own memory.
class Content {
 public:
  explicit Content(Bytes view) : view_(view) {}
  explicit Content(std::vector<unsigned char> own) : own_(std::move(own)), view_(own_.data(), own_.size()) {}
  explicit Content(std::unique_ptr<MappedFile> file) : file_(std::move(file)), view_(file_->bytes()) {}
  Content(Content&&) = default;
  Content& operator=(Content&&) = default;
  Bytes bytes() const { return view_; }

 private:
  std::vector<unsigned char> own_;
  std::unique_ptr<MappedFile> file_;
  Bytes view_;
};

class Archive {
 public:
  explicit Archive(const std::string& path);
  explicit Archive(Bytes content);  // the content must not change while the archive is open

  bool has(const std::string& name) const { return entries_.count(name) != 0; }
  uint64_t size(const std::string& name) const { return entries_.at(name).size; }
  // Whether the content lies in the file as it is.
  bool is_stored(const std::string& name) const { return !entries_.at(name).deflated; }
  // Refuses an entry of more than `limit` bytes. With `check` the CRC of a stored entry is compared too.
  Content read(const std::string& name, uint64_t limit, bool check = false) const;
  const std::string& path() const { return path_; }  // empty for content in memory

 private:
  void list();
  void walk(const std::string& folder);
  void add(ZipEntry entry);
  void check_names() const;

  std::string path_;
  bool folder_ = false;
  std::unique_ptr<MappedFile> file_;
  Bytes content_;
  std::map<std::string, ZipEntry> entries_;
};

}  // namespace edge_ptf::core
