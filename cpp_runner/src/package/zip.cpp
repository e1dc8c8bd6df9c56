#include "package/zip.h"

#include <zlib.h>

#include <algorithm>

namespace edge_ptf::core {
namespace {

constexpr size_t kLongestName = 255;
constexpr uint64_t kMostFileBytes = 0xFFFFFFFF;
constexpr uint64_t kMostRatio = 1000;
constexpr uint64_t kMostDeflated = 128 << 20;
constexpr uint64_t kMostDeflatedTotal = 256 << 20;
constexpr size_t kAlignment = 4096;  // of content that a device maps into memory
constexpr uint16_t kAlignmentField = 0xD935;
constexpr size_t kLeastPadding = 6;
constexpr size_t kLongestPadding = kLeastPadding + kAlignment;

constexpr uint32_t kLocalMagic = 0x04034b50;
constexpr uint32_t kCentralMagic = 0x02014b50;
constexpr uint32_t kEndMagic = 0x06054b50;
constexpr size_t kLocalHeader = 30;
constexpr size_t kCentralHeader = 46;
constexpr size_t kEndRecord = 22;
constexpr size_t kSameFields = 26;  // from the version on, both headers have the same fields in the same order
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
constexpr uint16_t kHarmlessFlags = 0x0806;  // the level of deflate, and that the name is UTF-8

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// Empty, or the one padding field and nothing else.
bool is_padding(Bytes extra) {
  if (extra.size == 0) {
    return true;
  }
  return extra.size >= kLeastPadding && extra.size < kLongestPadding &&
         extra.number<uint16_t>(0, "padding") == kAlignmentField &&
         extra.number<uint16_t>(2, "padding") == extra.size - 4 && extra.number<uint16_t>(4, "padding") == kAlignment &&
         std::all_of(extra.data + kLeastPadding, extra.data + extra.size, [](unsigned char byte) { return byte == 0; });
}

void check_sizes(const ZipEntry& entry) {
  if (!entry.deflated && entry.packed != entry.size) {
    refuse(in_quotes(entry.name) + " is stored with two sizes");
  }
  if (entry.size > kMostRatio * std::max<uint64_t>(entry.packed, 1)) {
    refuse(in_quotes(entry.name) + " unpacks to more than " + std::to_string(kMostRatio) + " times its size");
  }
  if (entry.deflated && entry.size > kMostDeflated) {
    refuse(in_quotes(entry.name) + " unpacks to more than " + std::to_string(kMostDeflated >> 20) + " MiB");
  }
}

// Reads the directory from one entry to the next.
class ZipReader {
 public:
  ZipReader(Bytes file, size_t most_entries) : file_(file) {
    if (file.size > kMostFileBytes) {
      refuse("a zip of 4 GiB or more, which this runner does not open");
    }
    if (file.size < kEndRecord) {
      refuse("not a package, or incomplete");
    }
    end_ = file.size - kEndRecord;
    const auto end16 = [&](size_t offset) { return file.number<uint16_t>(end_ + offset, "end record"); };
    // A comment could hold a second directory.
    if (file.number<uint32_t>(end_, "end record") != kEndMagic || end16(20) != 0) {
      refuse("not a package, or incomplete");
    }
    count_ = end16(10);
    if (end16(4) != 0 || end16(6) != 0 || end16(8) != count_) {
      refuse("a zip of several parts, which this runner does not open");
    }
    if (count_ > most_entries) {
      refuse(std::to_string(count_) + " entries, more than the " + std::to_string(most_entries) + " allowed");
    }
    const size_t length = file.number<uint32_t>(end_ + 12, "end record");
    directory_ = file.number<uint32_t>(end_ + 16, "end record");
    if (directory_ > end_ || length != end_ - directory_) {
      refuse("the zip's directory is not where it must be");
    }
    at_ = directory_;
  }

  std::vector<ZipEntry> entries() {
    std::vector<ZipEntry> found;
    uint64_t deflated = 0;
    for (size_t number = 0; number < count_; ++number) {
      found.push_back(next());
      deflated += found.back().deflated ? found.back().size : 0;
    }
    if (at_ != end_) {
      refuse("the zip's directory has another length than its end record says");
    }
    if (place_ != directory_) {
      refuse("there are bytes between the last entry and the zip's directory");
    }
    if (deflated > kMostDeflatedTotal) {
      refuse("the deflated entries unpack to more than " + std::to_string(kMostDeflatedTotal >> 20) + " MiB");
    }
    return found;
  }

 private:
  ZipEntry next() {
    if (at_ > end_ || end_ - at_ < kCentralHeader) {
      refuse("the zip's directory is damaged");
    }
    const Bytes header = file_.part(at_, kCentralHeader, "the zip's directory");
    const auto field16 = [&](size_t offset) { return header.number<uint16_t>(offset, "entry"); };
    const auto field32 = [&](size_t offset) { return header.number<uint32_t>(offset, "entry"); };
    const size_t name_size = field16(28);
    const size_t extra_size = field16(30);
    const size_t tail_size = name_size + extra_size;
    if (field32(0) != kCentralMagic || tail_size > end_ - at_ - kCentralHeader) {
      refuse("the zip's directory is damaged");
    }
    const Bytes tail = file_.part(at_ + kCentralHeader, tail_size, "an entry's name");
    ZipEntry entry;
    entry.name = tail.text().substr(0, name_size);
    entry.crc = field32(16);
    entry.packed = field32(20);
    entry.size = field32(24);
    entry.deflated = field16(10) == kDeflated;
    check_name(entry.name);
    const std::string name = in_quotes(entry.name);
    if ((field16(8) & ~kHarmlessFlags) != 0 || (!entry.deflated && field16(10) != kStored)) {
      refuse(name + " is encrypted, patched, or packed in an unknown way");
    }
    const uint32_t kind = field32(38) >> 16 & 0170000;
    if (kind != 0 && kind != 0100000) {
      refuse(name + " is a link or device, not a file");
    }
    if (field16(32) != 0 || field16(34) != 0) {
      refuse(name + " has a comment, or lies in another file");
    }
    if (!is_padding(tail.part(name_size, extra_size, "an entry's extra field"))) {
      refuse(name + " has an extra field other than the padding 0xD935");
    }
    check_sizes(entry);
    if (field32(42) != place_) {
      refuse(name + " does not begin where the entry before it ends");
    }
    check_local(entry, header, tail);
    at_ += kCentralHeader + tail.size;
    place_ = entry.offset + entry.packed;
    return entry;
  }

  // The header in front of the content, which repeats that of the directory.
  void check_local(ZipEntry& entry, Bytes header, Bytes tail) const {
    const std::string name = in_quotes(entry.name);
    const Bytes local = file_.part(place_, kLocalHeader + tail.size, "an entry's header");
    if (local.number<uint32_t>(0, "entry") != kLocalMagic ||
        std::memcmp(local.data + 4, header.data + 6, kSameFields) != 0 ||
        local.text().substr(kLocalHeader) != tail.text()) {
      refuse(name + " has a header that differs from the zip's directory");
    }
    entry.offset = place_ + kLocalHeader + tail.size;
    if (entry.offset > directory_ || entry.packed > directory_ - entry.offset) {
      refuse(name + " reaches into the zip's directory");
    }
    const bool is_mapped = ends_with(entry.name, ".onnx") || ends_with(entry.name, ".bin");
    if (is_mapped && (entry.deflated || entry.offset % kAlignment != 0)) {
      refuse(name + " is not stored at a multiple of 4,096 bytes");
    }
  }

  Bytes file_;
  size_t end_ = 0;        // of the directory: where the end record begins
  size_t directory_ = 0;  // where the directory begins
  size_t count_ = 0;
  size_t at_ = 0;     // in the directory
  size_t place_ = 0;  // where the next entry must begin
};

}  // namespace

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

std::vector<ZipEntry> list_zip(Bytes file, size_t most_entries) {
  return ZipReader(file, most_entries).entries();
}

std::vector<unsigned char> inflated(Bytes file, const ZipEntry& entry) {
  const Bytes packed = file.part(entry.offset, entry.packed, "an entry");
  std::vector<unsigned char> out(entry.size + 1);  // one more byte detects a longer content
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
    unavailable("no memory to unpack " + in_quotes(entry.name));
  }
  stream.next_in = const_cast<unsigned char*>(packed.data);
  stream.avail_in = static_cast<uInt>(packed.size);
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int outcome = inflate(&stream, Z_FINISH);
  const bool whole = outcome == Z_STREAM_END && stream.total_out == entry.size && stream.avail_in == 0;
  inflateEnd(&stream);
  if (!whole) {
    refuse(in_quotes(entry.name) + " is damaged");
  }
  out.resize(entry.size);
  check_crc({out.data(), out.size()}, entry);
  return out;
}

void check_crc(Bytes content, const ZipEntry& entry) {
  if (crc32_z(0, content.data, content.size) != entry.crc) {
    refuse(in_quotes(entry.name) + " is damaged");
  }
}

}  // namespace edge_ptf::core
