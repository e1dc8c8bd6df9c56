// WordPiece. The ids are the same as those of the Hugging Face tokenizer that the tables were made from.
#pragma once

#include "tokenizers/tokenizer.h"
#include "tokenizers/wordpiece_tables.h"

namespace edge_ptf::core {

class WordPiece final : public Tokenizer {
 public:
  WordPiece(WordPieceTables tables, size_t max_length, Truncation truncation, TruncationSide side);

  void encode(std::string_view text, const std::string_view* pair, Encoding& out) const override;
  void encode_windows(std::string_view text, std::string_view pair, size_t stride, Encoding& out) const override;

 private:
  friend class WordPieceSplitter;

  // What an ASCII character becomes, where one character or none replaces it.
  struct Ascii {
    enum Kind : uint8_t { kLetter, kSpace, kAlone, kDrop, kOther };
    Kind kind;
    char out;
  };

  void encode_single(std::string_view text, Encoding& out) const;
  void encode_pair(std::string_view text, std::string_view pair, Encoding& out) const;
  size_t most_needed(size_t most) const;
  void truncate(std::vector<Token>& tokens, size_t size) const;
  void split(std::string_view text, size_t most, std::vector<Token>& tokens, Encoding& out) const;
  static void add_window(const std::vector<TemplateItem>& items, size_t first, size_t count, Encoding& out);
  static void assemble(const std::vector<TemplateItem>& items, Encoding& out);
  Ascii ascii(unsigned char c) const;

  WordPieceTables tables_;
  size_t max_length_;
  Truncation truncation_;
  TruncationSide side_;
  Ascii ascii_[128];
  bool begins_added_[256] = {};  // the first bytes of added tokens
};

}  // namespace edge_ptf::core
