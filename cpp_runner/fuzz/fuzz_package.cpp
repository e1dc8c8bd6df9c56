// Any bytes as a package: the container, the manifest, and every file that the manifest names, up to the engine.
#include <cstdint>

#include "package.h"
#include "tables.h"
#include "task.h"
#include "tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const edge_ptf::Package package(edge_ptf::Bytes(data, size));
    const edge_ptf::Manifest& manifest = package.manifest();
    package.digest();
    for (const edge_ptf::FileEntry& entry : manifest.files) {
      try {
        package.read(entry.path, /*check=*/true);
      } catch (const edge_ptf::Error&) {
        continue;  // the next one may be whole
      }
    }
    const edge_ptf::Task task(manifest.head().task);
    if (manifest.tokenizer.tables) {
      const edge_ptf::Content content = package.read(*manifest.tokenizer.tables, /*check=*/false);
      const edge_ptf::Tokenizer tokenizer(edge_ptf::Tables(content.bytes()), manifest.tokenizer.max_length,
                                          manifest.tokenizer.truncation);
      edge_ptf::Encoding encoding;
      tokenizer.encode("turn on the lights", encoding);
    }
  } catch (const edge_ptf::Error&) {
    return 0;
  }
  return 0;
}
