#include "tokenizers/wordpiece.h"

#include <algorithm>
#include <limits>

#include "utf8.h"

namespace edge_ptf::core {

constexpr uint32_t kHangulFirst = 0xAC00;
constexpr uint32_t kLongestCharacter = 4;  // bytes

// The word that is being read: its bytes, and for each character its place in the text.
class WordMemory final : public TokenizerMemory {
 public:
  std::vector<char> word;
  std::vector<uint32_t> begins, ends;
  std::vector<uint32_t> ranks;
};

namespace {

WordMemory& word_memory(Encoding& encoding) {
  if (auto* found = dynamic_cast<WordMemory*>(encoding.memory.get())) {
    return *found;
  }
  auto made = std::make_unique<WordMemory>();
  WordMemory& memory = *made;
  encoding.memory = std::move(made);
  return memory;
}

}  // namespace

// Splits one text into tokens.
class WordPieceSplitter {
 public:
  WordPieceSplitter(const WordPiece& tokenizer, std::string_view text, size_t most, std::vector<Token>& tokens,
                    WordMemory& memory)
      : tokenizer_(tokenizer),
        tables_(tokenizer.tables_),
        start_(reinterpret_cast<const unsigned char*>(text.data())),
        end_(start_ + text.size()),
        most_(most),
        tokens_(tokens),
        longest_(tables_.longest_word()),
        memory_(memory) {
    // One character more than the longest word shows that a word is too long.
    const size_t capacity = size_t{longest_} + 1;
    memory_.word.resize(capacity * kLongestCharacter);
    memory_.begins.resize(capacity);
    memory_.ends.resize(capacity);
    memory_.ranks.resize(capacity);
    word_ = memory_.word.data();
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
        const WordPiece::Ascii ascii = tokenizer_.ascii_[byte];
        if (ascii.kind == WordPiece::Ascii::kLetter) {
          if (count_ < longest_) {
            memory_.begins[count_] = place(at);
            memory_.ends[count_] = place(at) + 1;
            word_[size_++] = ascii.out;
            run_ = ++count_;
          } else {
            put(static_cast<unsigned char>(ascii.out), at, 1);
          }
          ++at;
          continue;
        }
        if (ascii.kind == WordPiece::Ascii::kSpace) {
          finish_word();
          ++at;
          continue;
        }
        if (ascii.kind == WordPiece::Ascii::kAlone) {
          finish_word();
          put(static_cast<unsigned char>(ascii.out), at, 1);
          finish_word();
          ++at;
          continue;
        }
        if (ascii.kind == WordPiece::Ascii::kDrop) {
          ++at;
          continue;
        }
      }
      const Decoded decoded = decode_utf8(at, end_);
      add(decoded.point, at, decoded.size);
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

  // Handles any code point, by the tables.
  void add(uint32_t point, const unsigned char* at, uint32_t size) {
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
    } else if (action == Action::kDropAndSeparate) {
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

  // Adds a normalized character that is part of a word and not a mark.
  void put(uint32_t point, const unsigned char* at, uint32_t size) {
    if (count_ > longest_) {
      last_end_ = place(at) + size;
      return;
    }
    memory_.begins[count_] = place(at);
    memory_.ends[count_] = last_end_ = place(at) + size;
    size_ += encode_utf8(point, word_ + size_);
    run_ = ++count_;
  }

  // Adds a mark before the marks of its run that have a higher rank (canonical order). The places keep their order.
  void put_mark(uint32_t point, uint32_t rank, const unsigned char* at, uint32_t size) {
    if (count_ > longest_) {
      last_end_ = place(at) + size;
      return;
    }
    const uint32_t run = run_;
    uint32_t index = count_;
    size_t byte = size_;
    while (index > run && memory_.ranks[index - 1] > rank) {
      memory_.ranks[index] = memory_.ranks[index - 1];
      --index;
      do {
        --byte;
      } while ((static_cast<unsigned char>(word_[byte]) & 0xC0) == 0x80);
    }
    memory_.ranks[index] = rank;
    char bytes[kLongestCharacter];
    const uint32_t width = encode_utf8(point, bytes);
    std::memmove(word_ + byte + width, word_ + byte, size_ - byte);
    std::memcpy(word_ + byte, bytes, width);
    memory_.begins[count_] = place(at);
    memory_.ends[count_] = last_end_ = place(at) + size;
    size_ += width;
    ++count_;
    run_ = run;
  }

  void finish_word() {
    if (count_ != 0) {
      const size_t before = tokens_.size();
      if (count_ > longest_ || !find_subwords()) {
        tokens_.resize(before);
        tokens_.push_back(
            {tables_.unknown(), memory_.begins[0], count_ > longest_ ? last_end_ : memory_.ends[count_ - 1]});
      }
    }
    size_ = count_ = run_ = 0;
  }

  // Repeatedly takes the longest known subword. Returns false where none is known.
  bool find_subwords() {
    const uint32_t* units = tables_.units();
    uint32_t state = 0;
    uint32_t character = 0;
    for (size_t begin = 0; begin < size_; state = tables_.continuation()) {
      if (state == WordPieceTables::kNoState) {
        return false;
      }
      size_t end = begin;
      uint32_t id = 0;
      uint32_t place = state;
      for (size_t at = begin; at < size_; ++at) {
        const auto byte = static_cast<unsigned char>(word_[at]);
        place = (units[place] >> WordPieceTables::kBaseShift) ^ byte;
        const uint32_t unit = units[place];
        if ((unit & 0xFF) != byte || byte == 0) {
          break;
        }
        if ((unit & WordPieceTables::kLeaf) != 0) {
          end = at + 1;
          id = unit >> WordPieceTables::kBaseShift;
          break;
        }
        if ((unit & WordPieceTables::kValue) != 0) {
          end = at + 1;
          id = units[unit >> WordPieceTables::kBaseShift] >> WordPieceTables::kBaseShift;
        }
      }
      const bool inside = end < size_ && (static_cast<unsigned char>(word_[end]) & 0xC0) == 0x80;
      if (end == begin || inside) {  // a subword cannot end inside a character
        return false;
      }
      uint32_t last = character;
      for (size_t at = begin + 1; at < end; ++at) {
        last += (static_cast<unsigned char>(word_[at]) & 0xC0) != 0x80;
      }
      tokens_.push_back({id, memory_.begins[character], memory_.ends[last]});
      character = last + 1;
      begin = end;
    }
    return true;
  }

  const WordPiece& tokenizer_;
  const WordPieceTables& tables_;
  const unsigned char* start_;
  const unsigned char* end_;
  size_t most_;
  std::vector<Token>& tokens_;
  uint32_t longest_;
  WordMemory& memory_;
  char* word_ = nullptr;
  size_t size_ = 0;        // of the word, in bytes
  uint32_t count_ = 0;     // of the word, in characters
  uint32_t run_ = 0;       // where the marks at the end of the word begin, in characters
  uint32_t last_end_ = 0;  // of a word that is too long
};

WordPiece::WordPiece(WordPieceTables tables, size_t max_length, Truncation truncation, TruncationSide side)
    : tables_(std::move(tables)), max_length_(max_length), truncation_(truncation), side_(side) {
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

WordPiece::Ascii WordPiece::ascii(unsigned char c) const {
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

void WordPiece::split(std::string_view text, size_t most, std::vector<Token>& tokens, Encoding& out) const {
  if (text.size() > kLongestText) {
    refuse("a text of more than 16 MiB; truncate it first");
  }
  WordPieceSplitter(*this, text, most, tokens, word_memory(out)).run();
}

void WordPiece::encode(std::string_view text, const std::string_view* pair, Encoding& out) const {
  pair == nullptr ? encode_single(text, out) : encode_pair(text, *pair, out);
}

// The last tokens of a text are known only when all of it is split.
size_t WordPiece::most_needed(size_t most) const {
  return side_ == TruncationSide::kLeft ? std::numeric_limits<size_t>::max() : most;
}

void WordPiece::truncate(std::vector<Token>& tokens, size_t size) const {
  if (tokens.size() <= size) {
    return;
  }
  if (side_ == TruncationSide::kLeft) {
    tokens.erase(tokens.begin(), tokens.end() - static_cast<std::ptrdiff_t>(size));
  } else {
    tokens.resize(size);
  }
}

void WordPiece::encode_single(std::string_view text, Encoding& out) const {
  const size_t space = max_length_ - special_count(tables_.single());
  if (truncation_ == Truncation::kOnlySecond) {
    split(text, space + 1, out.tokens, out);
    if (out.tokens.size() > space) {
      refuse("the text is longer than max_length, and the package truncates only a second text");
    }
  } else {
    split(text, most_needed(space), out.tokens, out);
    truncate(out.tokens, space);
  }
  out.pair_tokens.clear();
  assemble(tables_.single(), out);
}

void WordPiece::encode_pair(std::string_view text, std::string_view pair, Encoding& out) const {
  const size_t space = max_length_ - special_count(tables_.pair());
  // longest_first compares the full lengths. The other strategies only need to know that a text is too long.
  const size_t most =
      truncation_ == Truncation::kLongestFirst ? std::numeric_limits<size_t>::max() : most_needed(space + 1);
  split(text, most, out.tokens, out);
  split(pair, most, out.pair_tokens, out);
  if (out.tokens.size() + out.pair_tokens.size() > space) {
    const auto [first, second] = truncated(truncation_, out.tokens.size(), out.pair_tokens.size(), space);
    truncate(out.tokens, first);
    truncate(out.pair_tokens, second);
  }
  assemble(tables_.pair(), out);
}

void WordPiece::assemble(const std::vector<TemplateItem>& items, Encoding& out) {
  out.ids.clear();
  out.types.clear();
  out.windows.clear();
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

std::unique_ptr<Tokenizer> make_wordpiece(const TokenizerEntry& entry, Bytes tables) {
  return std::make_unique<WordPiece>(WordPieceTables(tables), entry.max_length, entry.truncation,
                                     entry.truncation_side);
}

}  // namespace edge_ptf::core
