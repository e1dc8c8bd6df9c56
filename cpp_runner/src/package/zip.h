// A zip file that can be read in one way only (docs/package.md, section 1). The Python reader in
// edge_ptf/package/container.py has the same rules.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bytes.h"

namespace edge_ptf::core {

struct ZipEntry {
  std::string name;
  uint64_t size = 0;    // unpacked
  uint64_t packed = 0;  // in the file
  size_t offset = 0;    // of its content in the file
  uint32_t crc = 0;
  bool deflated = false;
};

// A plain relative path of printable ASCII characters. Refuses any other name.
void check_name(std::string_view name);

// The entries in the order of the file. Refuses a file that breaks a rule.
std::vector<ZipEntry> list_zip(Bytes file, size_t most_entries);

// The content of a deflated entry. Refuses one that differs from its header.
std::vector<unsigned char> inflated(Bytes file, const ZipEntry& entry);

// Refuses an entry whose unpacked content has another CRC than its header says.
void check_crc(Bytes content, const ZipEntry& entry);

}  // namespace edge_ptf::core
