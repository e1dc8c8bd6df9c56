#include "package/archive.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
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
constexpr uint64_t kMostBytes = uint64_t{8} << 30;
constexpr uint64_t kMostRatio = 1000;
constexpr size_t kLongestName = 255;

constexpr uint32_t kLocalMagic = 0x04034b50;
constexpr uint32_t kCentralMagic = 0x02014b50;
constexpr uint32_t kEndMagic = 0x06054b50;
constexpr size_t kLocalHeader = 30;
constexpr size_t kCentralHeader = 46;
constexpr size_t kEndRecord = 22;
constexpr uint32_t kZip64 = 0xFFFFFFFF;
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;

// The text of errno.
std::string last_error() {
  return std::error_code(errno, std::generic_category()).message();
}

char folded(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// A plain relative path of printable ASCII characters.
void check_name(std::string_view name) {
  const auto bad = [](char c) { return c < ' ' || c > '~' || c == '\\' || c == ':'; };
  bool plain = !name.empty() && name.size() <= kLongestName && std::none_of(name.begin(), name.end(), bad);
  for (size_t begin = 0; plain && begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    plain = !part.empty() && part.back() != ' ' && part.back() != '.';  // "." and ".." end in a dot
    begin = end + 1;
  }
  if (!plain) {
    refuse("entry name " + in_quotes(name) + " is not a plain relative path");
  }
}

// Returns the position of the end record. A comment is not allowed: it could hold a second directory, and two readers
// could then find different entries.
size_t find_end(Bytes content) {
  if (content.size < kEndRecord) {
    refuse("not a package, or incomplete");
  }
  const size_t at = content.size - kEndRecord;
  if (content.number<uint32_t>(at, "end record") != kEndMagic || content.number<uint16_t>(at + 20, "end record") != 0) {
    refuse("not a package, or incomplete");
  }
  return at;
}

std::vector<unsigned char> inflated(Bytes packed, uint64_t size, const std::string& name) {
  if (size > std::numeric_limits<uInt>::max() || packed.size > std::numeric_limits<uInt>::max()) {
    refuse(in_quotes(name) + " is too large to unpack");
  }
  std::vector<unsigned char> out(size + 1);  // one more byte detects a longer content
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
    unavailable("no memory to unpack " + in_quotes(name));
  }
  stream.next_in = const_cast<unsigned char*>(packed.data);
  stream.avail_in = static_cast<uInt>(packed.size);
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int outcome = inflate(&stream, Z_FINISH);
  const bool whole = outcome == Z_STREAM_END && stream.total_out == size;
  inflateEnd(&stream);
  if (!whole) {
    refuse(in_quotes(name) + " is damaged");
  }
  out.resize(size);
  return out;
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

void Archive::add(const std::string& name, const Entry& entry) {
  check_name(name);
  if (!entries_.emplace(name, entry).second) {
    refuse(in_quotes(name) + " occurs twice");
  }
  if (entries_.size() > kMostEntries) {
    refuse("more than the " + std::to_string(kMostEntries) + " entries allowed");
  }
}

void Archive::list() {
  const size_t end = find_end(content_);
  const auto count = content_.number<uint16_t>(end + 10, "end record");
  const auto directory_size = content_.number<uint32_t>(end + 12, "end record");
  const auto directory_at = content_.number<uint32_t>(end + 16, "end record");
  const auto disk = content_.number<uint32_t>(end + 4, "end record");
  if (disk != 0 || count == 0xFFFF || directory_at == kZip64 ||
      content_.number<uint16_t>(end + 8, "end record") != count) {
    refuse("a zip of several parts, or of more than 4 GiB, which this runner does not open");
  }
  if (directory_at > end || directory_size != end - directory_at) {
    refuse("the zip's directory is not where it must be");
  }
  std::vector<std::pair<size_t, size_t>> taken;
  size_t at = directory_at;
  for (size_t number = 0; number < count; ++number) {
    const Bytes header = content_.part(at, kCentralHeader, "the zip's directory");
    const auto field16 = [&](size_t offset) { return header.number<uint16_t>(offset, "entry"); };
    const auto field32 = [&](size_t offset) { return header.number<uint32_t>(offset, "entry"); };
    const size_t name_size = field16(28);
    const std::string name(content_.part(at + kCentralHeader, name_size, "an entry's name").text());
    const uint16_t method = field16(10);
    const uint32_t kind = field32(38) >> 16 & 0170000;
    Entry entry;
    entry.crc = field32(16);
    entry.packed = field32(20);
    entry.size = field32(24);
    entry.deflated = method == kDeflated;
    if (field32(0) != kCentralMagic) {
      refuse("the zip's directory is damaged");
    }
    if ((field16(8) & 0x2061) != 0 || (method != kStored && method != kDeflated)) {
      refuse(in_quotes(name) + " is encrypted, patched, or packed in an unknown way");
    }
    if (kind != 0 && kind != 0100000) {
      refuse(in_quotes(name) + " is a link or device, not a file");
    }
    if (entry.packed == kZip64 || entry.size == kZip64 || field32(42) == kZip64) {
      refuse(in_quotes(name) + " is larger than 4 GiB, which this runner does not open");
    }
    if (entry.size > kMostRatio * std::max<uint64_t>(entry.packed, 1)) {
      refuse(in_quotes(name) + " unpacks to more than " + std::to_string(kMostRatio) + " times its size");
    }
    if (!entry.deflated && entry.packed != entry.size) {
      refuse(in_quotes(name) + " is stored with two sizes");
    }
    const size_t local = field32(42);
    const Bytes before = content_.part(local, kLocalHeader, "an entry's header");
    const size_t local_name = before.number<uint16_t>(26, "entry");
    entry.offset = local + kLocalHeader + local_name + before.number<uint16_t>(28, "entry");
    if (before.number<uint32_t>(0, "entry") != kLocalMagic || before.number<uint16_t>(8, "entry") != method ||
        content_.part(local + kLocalHeader, local_name, "an entry's name").text() != name) {
      refuse(in_quotes(name) + " has a header that differs from the zip's directory");
    }
    if (entry.offset > directory_at || entry.packed > directory_at - entry.offset) {
      refuse(in_quotes(name) + " reaches into the zip's directory");
    }
    taken.emplace_back(local, entry.offset + entry.packed);
    add(name, entry);
    at += kCentralHeader + name_size + field16(30) + field16(32);
  }
  if (at != end) {
    refuse("the zip's directory has another length than its end record says");
  }
  std::sort(taken.begin(), taken.end());
  for (size_t i = 1; i < taken.size(); ++i) {
    if (taken[i].first < taken[i - 1].second) {
      refuse("two entries of the zip overlap");
    }
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
      Entry entry;
      entry.size = step->file_size(error);
      add(name, entry);
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
    refuse("unpacks to more than 8 GiB");
  }
  for (const std::string& name : files) {
    for (size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      if (files.count(name.substr(0, slash)) != 0) {
        refuse(in_quotes(name.substr(0, slash)) + " is a file and a directory");
      }
    }
  }
}

Content Archive::read(const std::string& name, uint64_t limit) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    refuse("no entry " + in_quotes(name));
  }
  const Entry& entry = found->second;
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
  const Bytes packed = content_.part(entry.offset, entry.packed, "an entry");
  if (!entry.deflated) {
    return Content(packed);
  }
  std::vector<unsigned char> out = inflated(packed, entry.size, name);
  if (crc32(0, out.data(), static_cast<uInt>(out.size())) != entry.crc) {
    refuse(in_quotes(name) + " is damaged");
  }
  return Content(std::move(out));
}

}  // namespace edge_ptf::core
