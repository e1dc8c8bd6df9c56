// Any bytes as a text or a pair, with sound tables (EDGE_PTF_TABLES), and the first input byte set: with damaged ones.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tokenizers/wordpiece.h"

namespace {

struct Sound {
  std::vector<uint64_t> memory;
  size_t size = 0;

  Sound() {
    const char* path = std::getenv("EDGE_PTF_TABLES");
    std::ifstream stream(path == nullptr ? "" : path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(stream), {}};
    if (content.empty()) {
      std::fputs("EDGE_PTF_TABLES names no tokenizer.bin\n", stderr);
      std::abort();
    }
    size = content.size();
    memory.resize((size + 7) / 8);
    std::memcpy(memory.data(), content.data(), size);
  }
};

// What must hold of every encoding.
void check(const edge_ptf::core::Encoding& encoding, size_t text, size_t max_length) {
  if (encoding.ids.size() > max_length || encoding.ids.size() != encoding.types.size()) {
    std::abort();
  }
  for (const edge_ptf::core::Token& token : encoding.tokens) {
    if (token.begin >= token.end || token.end > text) {
      std::abort();
    }
  }
}

void split_text(const edge_ptf::core::WordPiece& tokenizer, std::string_view text, size_t split, size_t max_length,
                bool sound) {
  static edge_ptf::core::Encoding encoding;
  tokenizer.encode(text, nullptr, encoding);
  if (sound)
    check(encoding, text.size(), max_length);
  const std::string_view second = text.substr(split);
  tokenizer.encode(text.substr(0, split), &second, encoding);
  if (sound)
    check(encoding, split, max_length);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Sound sound;
  if (size < 4) {
    return 0;
  }
  const size_t max_length = 4 + data[1];
  const auto truncation = static_cast<edge_ptf::core::Truncation>(data[2] % 3);
  const auto side = static_cast<edge_ptf::core::TruncationSide>(data[2] / 3 % 2);
  const std::string_view text(reinterpret_cast<const char*>(data) + 4, size - 4);
  const size_t split = text.empty() ? 0 : data[3] % text.size();
  try {
    if (data[0] < 200) {
      static const edge_ptf::core::WordPieceTables tables({sound.memory.data(), sound.size});
      split_text(edge_ptf::core::WordPiece(tables, max_length, truncation, side), text, split, max_length, true);
      return 0;
    }
    // Four bytes of the input name a place and a value to write there.
    std::vector<uint64_t> memory = sound.memory;
    auto* bytes = reinterpret_cast<unsigned char*>(memory.data());
    for (size_t at = 0; at + 4 <= text.size() && at < 64; at += 4) {
      uint32_t change = 0;
      std::memcpy(&change, text.data() + at, sizeof change);
      const size_t range = change % 2 == 0 ? 256 : sound.size;
      bytes[(change >> 9) % range] = static_cast<unsigned char>(change >> 1);
    }
    split_text(
        edge_ptf::core::WordPiece(edge_ptf::core::WordPieceTables({bytes, sound.size}), max_length, truncation, side),
        text, split, max_length, false);
  } catch (const edge_ptf::core::Error&) {
    return 0;
  }
  return 0;
}
