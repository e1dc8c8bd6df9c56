// WordPiece, exactly as the Hugging Face tokenizer that the tables were made from.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "manifest.h"
#include "tables.h"

namespace edge_ptf {

// A token of a text and the bytes [begin, end) of the text it came from.
struct Token {
  uint32_t id;
  uint32_t begin;
  uint32_t end;
};

// The memory of one call, kept for the next.
struct Encoding {
  std::vector<int64_t> ids;
  std::vector<int64_t> types;
  std::vector<Token> tokens;       // of the first text, as far as they were kept
  std::vector<Token> pair_tokens;  // of the second
  size_t text_position = 0;        // of the first text's first token among the ids

 private:
  friend class Cutter;
  std::vector<char> word_;
  std::vector<uint32_t> begins_, ends_;
  std::vector<uint32_t> ranks_;
};

class Tokenizer {
 public:
  // Text of more bytes is refused: offsets are 32 bits wide.
  static constexpr size_t kLongestText = size_t{1} << 30;

  Tokenizer(Tables tables, size_t max_length, Truncation truncation);

  void encode(std::string_view text, Encoding& out) const;
  void encode(std::string_view text, std::string_view pair, Encoding& out) const;

 private:
  friend class Cutter;

  // What an ASCII character becomes, where that is simple.
  struct Ascii {
    enum Kind : uint8_t { kLetter, kSpace, kAlone, kDrop, kOther };
    Kind kind;
    char out;
  };

  void cut(std::string_view text, size_t most, std::vector<Token>& tokens, Encoding& memory) const;
  static void assemble(const std::vector<TemplateItem>& items, Encoding& out);
  Ascii ascii(unsigned char c) const;

  Tables tables_;
  size_t max_length_;
  Truncation truncation_;
  Ascii ascii_[128];
  bool begins_added_[256] = {};  // the first bytes of added tokens
};

}  // namespace edge_ptf
