// A tokenizer turns text into token ids. Each kind has one file in this folder and one line in tokenizer.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "bytes.h"
#include "package/manifest.h"

namespace edge_ptf::core {

// A token, and the bytes [begin, end) of the text that it stands for.
struct Token {
  uint32_t id;
  uint32_t begin;
  uint32_t end;
};

// Memory that a kind of tokenizer keeps for the next call.
class TokenizerMemory {
 public:
  TokenizerMemory() = default;
  TokenizerMemory(const TokenizerMemory&) = delete;
  TokenizerMemory& operator=(const TokenizerMemory&) = delete;
  virtual ~TokenizerMemory() = default;
};

// A part of a long second text that the model reads apart, with the whole first text before it.
struct Window {
  size_t length;       // in ids, special tokens included
  size_t position;     // index among its ids of the first token of the second text
  size_t first_token;  // the same token among all of the second text
  size_t token_count;  // tokens of the second text
};

// The inputs of a graph, and where the tokens come from. Its memory is used again for the next text.
struct Encoding {
  std::vector<int64_t> ids;
  std::vector<int64_t> types;
  std::vector<int64_t> mask;       // all ones
  std::vector<Token> tokens;       // of the first text, after truncation
  std::vector<Token> pair_tokens;  // of the second text
  std::vector<Window> windows;     // ids of all windows follow each other; empty: the model reads all ids at once
  size_t text_position = 0;        // index among the ids of the first token of the first text
  std::unique_ptr<TokenizerMemory> memory;
};

class Tokenizer {
 public:
  // A longer text is refused. Of a pair all tokens are needed, because their number says what is truncated.
  static constexpr size_t kLongestText = size_t{16} << 20;

  virtual ~Tokenizer() = default;
  // `pair` is the second text, or null. Fills everything but the mask.
  virtual void encode(std::string_view text, const std::string_view* pair, Encoding& out) const = 0;
  // The same, with all of the second text in windows that share `stride` tokens, and at most half of their room. The
  // first text has at most half of the room.
  virtual void encode_windows(std::string_view text, std::string_view pair, size_t stride, Encoding& out) const = 0;
};

// Refuses a kind that is not registered. `tables` must outlive the tokenizer.
std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerEntry& entry, Bytes tables);

// How many tokens of two texts remain where both together have more than `space`. The result is that of the Hugging
// Face library `tokenizers`.
std::pair<size_t, size_t> truncated(Truncation strategy, size_t first, size_t second, size_t space);

}  // namespace edge_ptf::core
