// tokenizer.bin of a WordPiece tokenizer: what every code point becomes, and the vocabulary as a trie. Both are read
// from the mapped file. docs/package.md, section 10, defines the layout; the Python writer uses the same names.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bytes.h"

namespace edge_ptf::core {

// What a code point becomes. From kMark on: kMark + rank. From kSequence on: kSequence + number of a sequence.
struct Action {
  enum : uint16_t {
    kKeep = 0,
    kDrop = 1,
    kDropAndSeparate = 2,
    kSpace = 3,
    kAlone = 4,
    kHangul = 5,
    kMark = 8,
    kSequence = 64,
  };
};

// One code point of a sequence.
struct Element {
  enum Kind : uint32_t { kWord = 0, kSpace = 1, kAlone = 2 };
  uint32_t packed;
  uint32_t point() const { return packed & 0x1FFFFF; }
  Kind kind() const { return static_cast<Kind>(packed >> 21 & 7); }
  uint32_t rank() const { return packed >> 24; }  // 0: not a mark; otherwise the rank of the mark + 1
};

struct AddedToken {
  uint32_t id;
  std::string_view text;
};

struct TemplateItem {
  enum Role : uint32_t { kToken = 0, kText = 1, kTextPair = 2 };
  Role role;
  uint32_t token;
  uint32_t type;
};

// The number of special tokens of a template.
inline size_t special_count(const std::vector<TemplateItem>& items) {
  return static_cast<size_t>(
      std::count_if(items.begin(), items.end(), [](const auto& item) { return item.role == TemplateItem::kToken; }));
}

// A view; the content must outlive it. The constructor checks every index that a lookup uses.
class WordPieceTables {
 public:
  explicit WordPieceTables(Bytes content);

  uint16_t action(uint32_t point) const { return blocks_[size_t{index_[point / kBlock]} * kBlock + point % kBlock]; }

  const Element* sequence_begin(size_t number) const { return sequences_ + starts_[number]; }
  const Element* sequence_end(size_t number) const { return sequences_ + starts_[number + 1]; }

  // Units of the trie.
  static constexpr uint32_t kLeaf = 1 << 8;
  static constexpr uint32_t kValue = 1 << 9;
  static constexpr uint32_t kBaseShift = 10;
  const uint32_t* units() const { return units_; }
  static constexpr uint32_t kNoState = 0xFFFFFFFF;
  uint32_t continuation() const { return continuation_; }  // the state after "##", or kNoState

  uint32_t unknown() const { return unknown_; }
  uint32_t longest_word() const { return longest_word_; }
  const std::vector<AddedToken>& added() const { return added_; }  // longest first
  const std::vector<TemplateItem>& single() const { return single_; }
  const std::vector<TemplateItem>& pair() const { return pair_; }

 private:
  static constexpr size_t kBlock = 128;

  void read_trie(Bytes content);
  void read_characters(Bytes index, Bytes blocks, Bytes starts, Bytes sequences);
  void read_added(Bytes content);
  static std::vector<TemplateItem> read_template(Bytes content, std::ptrdiff_t pairs);

  const uint32_t* units_ = nullptr;
  const uint16_t* index_ = nullptr;
  const uint16_t* blocks_ = nullptr;
  const uint32_t* starts_ = nullptr;
  const Element* sequences_ = nullptr;
  uint32_t continuation_ = kNoState;
  uint32_t unknown_ = 0;
  uint32_t longest_word_ = 0;
  std::vector<AddedToken> added_;
  std::vector<TemplateItem> single_;
  std::vector<TemplateItem> pair_;
};

}  // namespace edge_ptf::core
