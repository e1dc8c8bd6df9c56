#include "tokenizers/wordpiece_tables.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace edge_ptf::core {
namespace {

constexpr std::string_view kMagic = "EPTFTOKN";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeader = 32;
constexpr size_t kSectionEntry = 12;
constexpr size_t kCodePoints = 0x110000;
constexpr size_t kUnitBlock = 256;  // base ^ byte stays within a block of so many units
constexpr size_t kMostAdded = 65536;
constexpr size_t kMostTemplate = 64;
constexpr uint32_t kLongestWord = 10000;

enum Section : uint32_t {
  kTrie = 1,
  kBlockIndex,
  kBlocks,
  kSequenceStarts,
  kSequences,
  kAddedTokens,
  kSingleTemplate,
  kPairTemplate,
  kSections
};

[[noreturn]] void damaged(const char* what) {
  refuse(std::string("tokenizer tables: ") + what);
}

template <typename Item>
const Item* items(Bytes content, const char* what) {
  if (content.size % sizeof(Item) != 0 || reinterpret_cast<uintptr_t>(content.data) % alignof(Item) != 0) {
    damaged(what);
  }
  return reinterpret_cast<const Item*>(content.data);
}

}  // namespace

WordPieceTables::WordPieceTables(Bytes content) {
  constexpr const char* kWhat = "tokenizer tables: header";
  if (content.part(0, kMagic.size(), kWhat).text() != kMagic) {
    damaged("not tables of edge-ptf");
  }
  if (const auto version = content.number<uint32_t>(8, kWhat); version != kVersion) {
    damaged(("version " + std::to_string(version) + "; this runner reads " + std::to_string(kVersion)).c_str());
  }
  if (content.number<uint32_t>(12, kWhat) != content.size) {
    damaged("incomplete");
  }
  unknown_ = content.number<uint32_t>(16, kWhat);
  longest_word_ = content.number<uint32_t>(20, kWhat);
  continuation_ = content.number<uint32_t>(24, kWhat);
  if (longest_word_ > kLongestWord) {
    damaged("the longest word is too long");
  }
  std::array<Bytes, kSections> sections;
  const auto count = content.number<uint32_t>(28, kWhat);
  for (uint32_t number = 0; number < count && number < 64; ++number) {
    const size_t at = kHeader + number * kSectionEntry;
    const auto kind = content.number<uint32_t>(at, kWhat);
    const Bytes body = content.part(content.number<uint32_t>(at + 4, kWhat), content.number<uint32_t>(at + 8, kWhat),
                                    "tokenizer tables: section");
    if (kind < kSections) {
      sections[kind] = body;
    }
  }
  read_trie(sections[kTrie]);
  read_characters(sections[kBlockIndex], sections[kBlocks], sections[kSequenceStarts], sections[kSequences]);
  read_added(sections[kAddedTokens]);
  single_ = read_template(sections[kSingleTemplate], 0);
  pair_ = read_template(sections[kPairTemplate], 1);
}

void WordPieceTables::read_trie(Bytes content) {
  units_ = items<uint32_t>(content, "trie");
  const size_t count = content.size / sizeof(uint32_t);
  if (count == 0 || count % kUnitBlock != 0) {
    damaged("trie");
  }
  const auto walkable = [&](uint32_t place) {
    return place < count && (units_[place] & kLeaf) == 0 && units_[place] >> kBaseShift < count;
  };
  if (continuation_ != kNoState && !walkable(continuation_)) {
    damaged("continuation state");
  }
  for (size_t i = 0; i < count; ++i) {
    if ((units_[i] & kLeaf) == 0 && units_[i] >> kBaseShift >= count && (units_[i] & 0xFF) != 0) {
      damaged("trie");  // units with byte 0 hold ids, and no lookup continues from them
    }
  }
  if (units_[0] >> kBaseShift >= count) {
    damaged("trie");
  }
}

void WordPieceTables::read_characters(Bytes index, Bytes blocks, Bytes starts, Bytes sequences) {
  index_ = items<uint16_t>(index, "code points");
  blocks_ = items<uint16_t>(blocks, "code points");
  starts_ = items<uint32_t>(starts, "sequences");
  sequences_ = items<Element>(sequences, "sequences");
  const size_t block_count = blocks.size / sizeof(uint16_t) / kBlock;
  if (index.size != kCodePoints / kBlock * sizeof(uint16_t) || starts.size == 0 ||
      std::any_of(index_, index_ + kCodePoints / kBlock, [=](uint16_t block) { return block >= block_count; })) {
    damaged("code points");
  }
  const size_t sequence_count = starts.size / sizeof(uint32_t) - 1;
  if (starts_[0] != 0 || starts_[sequence_count] != sequences.size / sizeof(Element) ||
      !std::is_sorted(starts_, starts_ + sequence_count + 1)) {
    damaged("sequences");
  }
  const auto unknown_action = [=](uint16_t action) {
    return action >= Action::kSequence ? size_t{action} - Action::kSequence >= sequence_count
                                       : action > Action::kHangul && action < Action::kMark;
  };
  if (std::any_of(blocks_, blocks_ + block_count * kBlock, unknown_action)) {
    damaged("code points");
  }
  const auto wrong = [](const Element& each) { return each.point() >= kCodePoints || each.kind() > Element::kAlone; };
  if (std::any_of(sequences_, sequences_ + starts_[sequence_count], wrong)) {
    damaged("sequences");
  }
}

void WordPieceTables::read_added(Bytes content) {
  constexpr const char* kWhat = "tokenizer tables: added tokens";
  const auto count = content.number<uint32_t>(0, kWhat);
  if (count > kMostAdded) {
    damaged("added tokens");
  }
  size_t at = 4;
  for (uint32_t number = 0; number < count; ++number) {
    const auto size = content.number<uint32_t>(at + 4, kWhat);
    added_.push_back({content.number<uint32_t>(at, kWhat), content.part(at + 8, size, kWhat).text()});
    if (size == 0) {
      damaged("added tokens");
    }
    at += 8 + (size_t{size} + 3) / 4 * 4;
  }
}

// Each text occurs once in the template: heads read the answers at its position.
std::vector<TemplateItem> WordPieceTables::read_template(Bytes content, std::ptrdiff_t pairs) {
  constexpr const char* kWhat = "tokenizer tables: template";
  std::vector<TemplateItem> found;
  for (size_t at = 0; at < content.size; at += 12) {
    const auto role = content.number<uint32_t>(at, kWhat);
    if (role > TemplateItem::kTextPair || found.size() == kMostTemplate) {
      damaged("template");
    }
    found.push_back({static_cast<TemplateItem::Role>(role), content.number<uint32_t>(at + 4, kWhat),
                     content.number<uint32_t>(at + 8, kWhat)});
  }
  const auto times = [&](TemplateItem::Role role) {
    return std::count_if(found.begin(), found.end(), [=](const TemplateItem& item) { return item.role == role; });
  };
  if (times(TemplateItem::kText) != 1 || times(TemplateItem::kTextPair) != pairs) {
    damaged("template");
  }
  return found;
}

}  // namespace edge_ptf::core
