#include "tokenizer.h"

#include <algorithm>
#include <limits>

#include "utf8.h"

namespace edge_ptf {
namespace {

constexpr uint32_t kHangulFirst = 0xAC00;
constexpr uint32_t kLongestCharacter = 4;  // bytes

size_t special_count(const std::vector<TemplateItem>& items) {
  return static_cast<size_t>(
      std::count_if(items.begin(), items.end(), [](const auto& item) { return item.role == TemplateItem::kToken; }));
}

// How many tokens of two texts stay, as the `tokenizers` library shares out the room, which is too little for both.
std::pair<size_t, size_t> shares(Truncation strategy, size_t first, size_t second, size_t room) {
  if (strategy != Truncation::kLongestFirst) {
    const size_t other = strategy == Truncation::kOnlyFirst ? second : first;
    if (other >= room) {
      refuse("the text that is not to be cut leaves no room for the other one");
    }
    return strategy == Truncation::kOnlyFirst ? std::pair(room - second, second) : std::pair(first, room - first);
  }
  auto [less, more] = std::minmax({first, second});
  size_t small = less;
  size_t large = small > room ? small : std::max(small, room - small);
  if (small + large > room) {
    small = room / 2;
    large = small + room % 2;
  }
  return first <= second ? std::pair(small, large) : std::pair(large, small);
}

}  // namespace

// Cuts one text. The word that is being read lies in `memory_`: its bytes, and for each character its place in the
// text.
class Cutter {
 public:
  Cutter(const Tokenizer& tokenizer, std::string_view text, size_t most, std::vector<Token>& tokens, Encoding& memory)
      : tokenizer_(tokenizer),
        tables_(tokenizer.tables_),
        start_(reinterpret_cast<const unsigned char*>(text.data())),
        end_(start_ + text.size()),
        most_(most),
        tokens_(tokens),
        longest_(tables_.longest_word()),
        memory_(memory) {
    // One character beyond the longest word is kept, to know that it is too long.
    const size_t room = size_t{longest_} + 1;
    memory_.word_.resize(room * kLongestCharacter);
    memory_.begins_.resize(room);
    memory_.ends_.resize(room);
    memory_.ranks_.resize(room);
    word_ = memory_.word_.data();
  }

  void run() {
    tokens_.clear();
    const unsigned char* at = start_;
    while (at < end_ && tokens_.size() < most_) {
      const unsigned char byte = *at;
      if (tokenizer_.begins_added_[byte]) {
        if (const AddedToken* added = added_token(at)) {
          finish_word();
          tokens_.push_back({added->id, place(at), place(at + added->text.size())});
          at += added->text.size();
          continue;
        }
      }
      if (byte < 0x80) {
        const Tokenizer::Ascii ascii = tokenizer_.ascii_[byte];
        if (ascii.kind == Tokenizer::Ascii::kLetter) {
          if (count_ < longest_) {
            memory_.begins_[count_] = place(at);
            memory_.ends_[count_] = place(at) + 1;
            word_[size_++] = ascii.out;
            run_ = ++count_;
          } else {
            put(static_cast<unsigned char>(ascii.out), at, 1);
          }
          ++at;
          continue;
        }
        if (ascii.kind == Tokenizer::Ascii::kSpace) {
          finish_word();
          ++at;
          continue;
        }
        if (ascii.kind == Tokenizer::Ascii::kAlone) {
          finish_word();
          put(static_cast<unsigned char>(ascii.out), at, 1);
          finish_word();
          ++at;
          continue;
        }
        if (ascii.kind == Tokenizer::Ascii::kDrop) {
          ++at;
          continue;
        }
      }
      const Decoded decoded = decode_utf8(at, end_);
      take(decoded.point, at, decoded.size);
      at += decoded.size;
    }
    finish_word();
    if (tokens_.size() > most_) {
      tokens_.resize(most_);
    }
  }

 private:
  uint32_t place(const unsigned char* at) const { return static_cast<uint32_t>(at - start_); }

  const AddedToken* added_token(const unsigned char* at) const {
    const std::string_view rest(reinterpret_cast<const char*>(at), static_cast<size_t>(end_ - at));
    for (const AddedToken& added : tables_.added()) {
      if (rest.substr(0, added.text.size()) == added.text) {
        return &added;
      }
    }
    return nullptr;
  }

  // Any code point, by the tables.
  void take(uint32_t point, const unsigned char* at, uint32_t size) {
    const uint16_t action = tables_.action(point);
    if (action >= Action::kSequence) {
      const size_t number = action - size_t{Action::kSequence};
      for (const Element* each = tables_.sequence_begin(number); each != tables_.sequence_end(number); ++each) {
        if (each->kind() == Element::kWord) {
          each->rank() != 0 ? put_mark(each->point(), each->rank(), at, size) : put(each->point(), at, size);
        } else {
          finish_word();
          if (each->kind() == Element::kAlone) {
            put(each->point(), at, size);
            finish_word();
          }
        }
      }
    } else if (action >= Action::kMark) {
      put_mark(point, action - uint32_t{Action::kMark} + 1, at, size);
    } else if (action == Action::kKeep) {
      put(point, at, size);
    } else if (action == Action::kSpace) {
      finish_word();
    } else if (action == Action::kAlone) {
      finish_word();
      put(point, at, size);
      finish_word();
    } else if (action == Action::kHangul) {
      put_hangul(point, at, size);
    } else if (action == Action::kDropAndPart) {
      run_ = count_;
    }
  }

  // Unicode Standard, section 3.12.
  void put_hangul(uint32_t point, const unsigned char* at, uint32_t size) {
    const uint32_t index = point - kHangulFirst;
    put(0x1100 + index / 588, at, size);
    put(0x1161 + index % 588 / 28, at, size);
    if (index % 28 != 0) {
      put(0x11A7 + index % 28, at, size);
    }
  }

  // A normalized character that is part of a word and no mark.
  void put(uint32_t point, const unsigned char* at, uint32_t size) {
    if (count_ > longest_) {
      last_end_ = place(at) + size;
      return;
    }
    memory_.begins_[count_] = place(at);
    memory_.ends_[count_] = last_end_ = place(at) + size;
    size_ += encode_utf8(point, word_ + size_);
    run_ = ++count_;
  }

  // A mark goes before the marks of its run that have a higher rank (canonical order); places stay in order.
  void put_mark(uint32_t point, uint32_t rank, const unsigned char* at, uint32_t size) {
    if (count_ > longest_) {
      last_end_ = place(at) + size;
      return;
    }
    const uint32_t run = run_;
    uint32_t index = count_;
    size_t byte = size_;
    while (index > run && memory_.ranks_[index - 1] > rank) {
      memory_.ranks_[index] = memory_.ranks_[index - 1];
      --index;
      do {
        --byte;
      } while ((static_cast<unsigned char>(word_[byte]) & 0xC0) == 0x80);
    }
    memory_.ranks_[index] = rank;
    char bytes[kLongestCharacter];
    const uint32_t width = encode_utf8(point, bytes);
    std::memmove(word_ + byte + width, word_ + byte, size_ - byte);
    std::memcpy(word_ + byte, bytes, width);
    memory_.begins_[count_] = place(at);
    memory_.ends_[count_] = last_end_ = place(at) + size;
    size_ += width;
    ++count_;
    run_ = run;
  }

  void finish_word() {
    if (count_ != 0) {
      const size_t before = tokens_.size();
      if (count_ > longest_ || !find_pieces()) {
        tokens_.resize(before);
        tokens_.push_back(
            {tables_.unknown(), memory_.begins_[0], count_ > longest_ ? last_end_ : memory_.ends_[count_ - 1]});
      }
    }
    size_ = count_ = run_ = 0;
  }

  // The longest known piece, again and again; false where none is known.
  bool find_pieces() {
    const uint32_t* units = tables_.units();
    uint32_t state = 0;
    uint32_t character = 0;
    for (size_t begin = 0; begin < size_; state = tables_.continuation()) {
      if (state == Tables::kNoState) {
        return false;
      }
      size_t end = begin;
      uint32_t id = 0;
      uint32_t place = state;
      for (size_t at = begin; at < size_; ++at) {
        const auto byte = static_cast<unsigned char>(word_[at]);
        place = (units[place] >> Tables::kBaseShift) ^ byte;
        const uint32_t unit = units[place];
        if ((unit & 0xFF) != byte || byte == 0) {
          break;
        }
        if ((unit & Tables::kLeaf) != 0) {
          end = at + 1;
          id = unit >> Tables::kBaseShift;
          break;
        }
        if ((unit & Tables::kValue) != 0) {
          end = at + 1;
          id = units[unit >> Tables::kBaseShift] >> Tables::kBaseShift;
        }
      }
      const bool inside = end < size_ && (static_cast<unsigned char>(word_[end]) & 0xC0) == 0x80;
      if (end == begin || inside) {  // a piece that ends inside a character is no piece
        return false;
      }
      uint32_t last = character;
      for (size_t at = begin + 1; at < end; ++at) {
        last += (static_cast<unsigned char>(word_[at]) & 0xC0) != 0x80;
      }
      tokens_.push_back({id, memory_.begins_[character], memory_.ends_[last]});
      character = last + 1;
      begin = end;
    }
    return true;
  }

  const Tokenizer& tokenizer_;
  const Tables& tables_;
  const unsigned char* start_;
  const unsigned char* end_;
  size_t most_;
  std::vector<Token>& tokens_;
  uint32_t longest_;
  Encoding& memory_;
  char* word_ = nullptr;
  size_t size_ = 0;        // of the word, in bytes
  uint32_t count_ = 0;     // of the word, in characters
  uint32_t run_ = 0;       // where the marks at the end of the word begin, in characters
  uint32_t last_end_ = 0;  // of a word that is too long
};

Tokenizer::Tokenizer(Tables tables, size_t max_length, Truncation truncation)
    : tables_(std::move(tables)), max_length_(max_length), truncation_(truncation) {
  if (max_length_ <= std::max(special_count(tables_.single()), special_count(tables_.pair()))) {
    refuse("max_length leaves no room for text");
  }
  for (unsigned c = 0; c < 128; ++c) {
    ascii_[c] = ascii(static_cast<unsigned char>(c));
  }
  for (const AddedToken& added : tables_.added()) {
    begins_added_[static_cast<unsigned char>(added.text.front())] = true;
  }
}

Tokenizer::Ascii Tokenizer::ascii(unsigned char c) const {
  const uint16_t action = tables_.action(c);
  const char same = static_cast<char>(c);
  switch (action) {
    case Action::kKeep: return {Ascii::kLetter, same};
    case Action::kDrop: return {Ascii::kDrop, 0};
    case Action::kSpace: return {Ascii::kSpace, 0};
    case Action::kAlone: return {Ascii::kAlone, same};
    default: break;
  }
  if (action >= Action::kSequence) {
    const Element* first = tables_.sequence_begin(action - size_t{Action::kSequence});
    const Element* end = tables_.sequence_end(action - size_t{Action::kSequence});
    if (end - first == 1 && first->kind() == Element::kWord && first->rank() == 0 && first->point() < 0x80) {
      return {Ascii::kLetter, static_cast<char>(first->point())};
    }
  }
  return {Ascii::kOther, 0};
}

void Tokenizer::cut(std::string_view text, size_t most, std::vector<Token>& tokens, Encoding& memory) const {
  if (text.size() > kLongestText) {
    refuse("a text of more than 1 GiB");
  }
  Cutter(*this, text, most, tokens, memory).run();
}

void Tokenizer::encode(std::string_view text, Encoding& out) const {
  const size_t room = max_length_ - special_count(tables_.single());
  if (truncation_ == Truncation::kOnlySecond) {
    cut(text, room + 1, out.tokens, out);
    if (out.tokens.size() > room) {
      refuse("the text is longer than max_length, and only a second text may be cut");
    }
  } else {
    cut(text, room, out.tokens, out);
  }
  out.pair_tokens.clear();
  assemble(tables_.single(), out);
}

void Tokenizer::encode(std::string_view text, std::string_view pair, Encoding& out) const {
  const size_t room = max_length_ - special_count(tables_.pair());
  // Which text is longer decides who gets an odd token. Otherwise more tokens than there is room for are all alike.
  const size_t most = truncation_ == Truncation::kLongestFirst ? std::numeric_limits<size_t>::max() : room + 1;
  cut(text, most, out.tokens, out);
  cut(pair, most, out.pair_tokens, out);
  if (out.tokens.size() + out.pair_tokens.size() > room) {
    const auto [first, second] = shares(truncation_, out.tokens.size(), out.pair_tokens.size(), room);
    out.tokens.resize(std::min(out.tokens.size(), first));
    out.pair_tokens.resize(std::min(out.pair_tokens.size(), second));
  }
  assemble(tables_.pair(), out);
}

void Tokenizer::assemble(const std::vector<TemplateItem>& items, Encoding& out) {
  out.ids.clear();
  out.types.clear();
  for (const TemplateItem& item : items) {
    if (item.role == TemplateItem::kToken) {
      out.ids.push_back(item.token);
      out.types.push_back(item.type);
      continue;
    }
    const std::vector<Token>& tokens = item.role == TemplateItem::kText ? out.tokens : out.pair_tokens;
    if (item.role == TemplateItem::kText) {
      out.text_position = out.ids.size();
    }
    for (const Token& token : tokens) {
      out.ids.push_back(token.id);
      out.types.push_back(item.type);
    }
  }
}

}  // namespace edge_ptf
