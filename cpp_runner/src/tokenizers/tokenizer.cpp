#include "tokenizers/tokenizer.h"

#include <algorithm>

#include "registry.h"

// Every kind of tokenizer: its name in the manifest, and the function that makes it.
#define EDGE_PTF_TOKENIZERS(REGISTER) REGISTER("wordpiece", make_wordpiece)

namespace edge_ptf::core {

#define EDGE_PTF_DECLARE(name, make) std::unique_ptr<Tokenizer> make(const TokenizerEntry& entry, Bytes tables);
EDGE_PTF_TOKENIZERS(EDGE_PTF_DECLARE)
#undef EDGE_PTF_DECLARE

namespace {

struct TokenizerKind {
  std::string_view name;
  std::unique_ptr<Tokenizer> (*make)(const TokenizerEntry& entry, Bytes tables);
};

#define EDGE_PTF_ENTRY(name, make) {name, make},
constexpr TokenizerKind kKinds[] = {EDGE_PTF_TOKENIZERS(EDGE_PTF_ENTRY)};
#undef EDGE_PTF_ENTRY

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const TokenizerEntry& entry, Bytes tables) {
  return registered(kKinds, entry.kind, "tokenizer of the kind").make(entry, tables);
}

std::pair<size_t, size_t> truncated(Truncation strategy, size_t first, size_t second, size_t space) {
  if (strategy != Truncation::kLongestFirst) {
    const size_t other = strategy == Truncation::kOnlyFirst ? second : first;
    if (other >= space) {
      refuse("the text that must not be truncated leaves no room for the other one");
    }
    return strategy == Truncation::kOnlyFirst ? std::pair(space - second, second) : std::pair(first, space - first);
  }
  auto [less, more] = std::minmax({first, second});
  size_t small = less;
  size_t large = small > space ? small : std::max(small, space - small);
  if (small + large > space) {
    small = space / 2;
    large = small + space % 2;
  }
  return first <= second ? std::pair(small, large) : std::pair(large, small);
}

}  // namespace edge_ptf::core
