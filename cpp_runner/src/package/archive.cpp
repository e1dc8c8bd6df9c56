#include "package/archive.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#if defined(_WIN32)
#error "The runner has no Windows port yet."
#endif

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace edge_ptf::core {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostEntries = 4096;
constexpr uint64_t kMostBytes = uint64_t{4} << 30;

// The text of errno.
std::string last_error() {
  return std::error_code(errno, std::generic_category()).message();
}

char folded(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    refuse("cannot be opened (" + last_error() + ")");
  }
  struct stat status {};
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(file);
    refuse("neither a file nor a directory");
  }
  size_ = static_cast<size_t>(status.st_size);
  if (size_ > 0) {
    start_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
  }
  const std::string reason = start_ == MAP_FAILED ? last_error() : "";
  ::close(file);
  if (start_ == MAP_FAILED) {
    start_ = nullptr;
    unavailable("cannot be mapped into memory (" + reason + ")");
  }
}

MappedFile::~MappedFile() {
  if (start_ != nullptr) {
    ::munmap(start_, size_);
  }
}

Archive::Archive(const std::string& path) : path_(path) {
  std::error_code ignored;
  folder_ = fs::is_directory(path, ignored);
  if (folder_) {
    walk(path);
  } else {
    file_ = std::make_unique<MappedFile>(path);
    content_ = file_->bytes();
    list();
  }
  check_names();
}

Archive::Archive(Bytes content) : content_(content) {
  list();
  check_names();
}

void Archive::add(ZipEntry entry) {
  const std::string name = entry.name;
  if (!entries_.emplace(name, std::move(entry)).second) {
    refuse(in_quotes(name) + " occurs twice");
  }
  if (entries_.size() > kMostEntries) {
    refuse("more than the " + std::to_string(kMostEntries) + " entries allowed");
  }
}

void Archive::list() {
  for (ZipEntry& entry : list_zip(content_, kMostEntries)) {
    add(std::move(entry));
  }
}

void Archive::walk(const std::string& folder) {
  std::error_code error;
  for (fs::recursive_directory_iterator step(folder, error), end; !error && step != end; step.increment(error)) {
    const fs::file_status status = step->symlink_status(error);
    const std::string name = step->path().lexically_relative(folder).generic_string();
    if (fs::is_symlink(status)) {
      refuse(in_quotes(name) + " is a link");
    }
    if (fs::is_regular_file(status)) {
      check_name(name);
      ZipEntry entry;
      entry.name = name;
      entry.size = step->file_size(error);
      add(std::move(entry));
    }
  }
  if (error) {
    unavailable("cannot be read (" + error.message() + ")");
  }
}

void Archive::check_names() const {
  std::set<std::string> files;
  uint64_t bytes = 0;
  for (const auto& [name, entry] : entries_) {
    std::string plain = name;
    std::transform(plain.begin(), plain.end(), plain.begin(), folded);
    if (!files.insert(plain).second) {
      refuse(in_quotes(name) + " is the same name as another one on some systems");
    }
    bytes += entry.size;
  }
  if (bytes > kMostBytes) {
    refuse("unpacks to more than 4 GiB");
  }
  for (const std::string& name : files) {
    for (size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      if (files.count(name.substr(0, slash)) != 0) {
        refuse(in_quotes(name.substr(0, slash)) + " is a file and a directory");
      }
    }
  }
}

Content Archive::read(const std::string& name, uint64_t limit, bool check) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    refuse("no entry " + in_quotes(name));
  }
  const ZipEntry& entry = found->second;
  if (entry.size > limit) {
    refuse(in_quotes(name) + " has " + std::to_string(entry.size) + " bytes, more than the " + std::to_string(limit) +
           " allowed");
  }
  if (folder_) {
    auto file = std::make_unique<MappedFile>((fs::path(path_) / name).string());
    if (file->bytes().size != entry.size) {
      refuse(in_quotes(name) + " changed its size");
    }
    return Content(std::move(file));
  }
  if (entry.deflated) {
    return Content(inflated(content_, entry));
  }
  const Bytes stored = content_.part(entry.offset, entry.packed, "an entry");
  if (check) {
    check_crc(stored, entry);
  }
  return Content(stored);
}

}  // namespace edge_ptf::core
