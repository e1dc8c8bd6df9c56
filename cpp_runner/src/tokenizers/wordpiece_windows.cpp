// A question and a long context: the context in windows that overlap (docs/package.md, section 4).
#include <algorithm>
#include <limits>

#include "tokenizers/wordpiece.h"

namespace edge_ptf::core {

void WordPiece::encode_windows(std::string_view text, std::string_view pair, size_t stride, Encoding& out) const {
  const std::vector<TemplateItem>& items = tables_.pair();
  const size_t capacity = max_length_ - special_count(items);
  split(text, capacity / 2, out.tokens, out);
  split(pair, std::numeric_limits<size_t>::max(), out.pair_tokens, out);
  out.tokens.resize(std::min(out.tokens.size(), capacity / 2));
  const size_t space = capacity - out.tokens.size();
  const size_t step = space - std::min(stride, space / 2);
  out.ids.clear();
  out.types.clear();
  out.windows.clear();
  for (size_t first = 0;; first += step) {
    const size_t count = std::min(space, out.pair_tokens.size() - first);
    add_window(items, first, count, out);
    if (first + count == out.pair_tokens.size()) {
      return;
    }
  }
}

void WordPiece::add_window(const std::vector<TemplateItem>& items, size_t first, size_t count, Encoding& out) {
  Window window{};
  const size_t begin = out.ids.size();
  window.first_token = first;
  window.token_count = count;
  const auto add = [&out](const Token* tokens, size_t number, int64_t type) {
    for (size_t i = 0; i < number; ++i) {
      out.ids.push_back(tokens[i].id);
      out.types.push_back(type);
    }
  };
  for (const TemplateItem& item : items) {
    if (item.role == TemplateItem::kToken) {
      out.ids.push_back(item.token);
      out.types.push_back(item.type);
    } else if (item.role == TemplateItem::kText) {
      out.text_position = out.ids.size() - begin;
      add(out.tokens.data(), out.tokens.size(), item.type);
    } else {
      window.position = out.ids.size() - begin;
      add(out.pair_tokens.data() + first, count, item.type);
    }
  }
  window.length = out.ids.size() - begin;
  out.windows.push_back(window);
}

}  // namespace edge_ptf::core
