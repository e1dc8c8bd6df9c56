// Any bytes as a package: the container, the manifest, and every file that the manifest names, up to the engine.
#include <cstdint>

#include "engines/onnx_check.h"
#include "heads/head.h"
#include "package/golden.h"
#include "package/package.h"
#include "tokenizers/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const edge_ptf::core::Package package(edge_ptf::core::Bytes(data, size));
    const edge_ptf::core::Manifest& manifest = package.manifest();
    package.digest();
    for (const edge_ptf::core::FileEntry& entry : manifest.files) {
      try {
        package.read(entry.path, /*check=*/true);
      } catch (const edge_ptf::core::Error&) {
        continue;  // the next one may be valid
      }
    }
    for (const edge_ptf::core::Graph& graph : manifest.graphs) {
      try {
        edge_ptf::core::check_onnx(package.read(graph.file, /*check=*/false).bytes());
      } catch (const edge_ptf::core::Error&) {
        continue;
      }
    }
    for (const edge_ptf::core::HeadSpec& spec : manifest.heads) {
      try {
        edge_ptf::core::make_head(spec);
      } catch (const edge_ptf::core::Error&) {
        continue;
      }
    }
    try {
      edge_ptf::core::parse_golden(package.read(manifest.golden_file, /*check=*/false).bytes().text(), "golden text 1");
    } catch (const edge_ptf::core::Error&) {
      // the tokenizer is checked in any case
    }
    if (manifest.tokenizer.tables) {
      const edge_ptf::core::Content content = package.read(*manifest.tokenizer.tables, /*check=*/false);
      const auto tokenizer = edge_ptf::core::make_tokenizer(manifest.tokenizer, content.bytes());
      edge_ptf::core::Encoding encoding;
      tokenizer->encode("turn on the lights", nullptr, encoding);
    }
  } catch (const edge_ptf::core::Error&) {
    return 0;
  }
  return 0;
}
