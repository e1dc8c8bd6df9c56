// Ids equal to the Hugging Face tokenizer's, over fuzzed texts, real vocabularies and damaged tables.
#include <cstring>
#include <random>

#include "fixtures.h"
#include "tokenizers/wordpiece.h"

namespace {

// Aligned, as a mapped file is.
std::vector<uint64_t> aligned(const std::string& content) {
  std::vector<uint64_t> copy((content.size() + 7) / 8);
  if (!content.empty()) {
    std::memcpy(copy.data(), content.data(), content.size());
  }
  return copy;
}

edge_ptf::core::Truncation strategy(const std::string& name) {
  return name == "only_first"    ? edge_ptf::core::Truncation::kOnlyFirst
         : name == "only_second" ? edge_ptf::core::Truncation::kOnlySecond
                                 : edge_ptf::core::Truncation::kLongestFirst;
}

}  // namespace

TEST_CASE("ids and types are those of the Hugging Face tokenizer") {
  for (const char* name : {"uncased", "cased"}) {
    CAPTURE(std::string(name));
    const std::string content = read_file(fixture(std::string(name) + ".bin"));
    const auto copy = aligned(content);
    const edge_ptf::core::Bytes tables(copy.data(), content.size());
    edge_ptf::core::Encoding encoding;
    for (const auto& wanted : read_cases(std::string(name) + ".jsonl")) {
      const edge_ptf::core::WordPiece tokenizer(
          edge_ptf::core::WordPieceTables(tables), wanted["max_length"].get<size_t>(), strategy(wanted["strategy"]),
          wanted["side"] == "left" ? edge_ptf::core::TruncationSide::kLeft : edge_ptf::core::TruncationSide::kRight);
      const std::string text = from_hex(wanted["text"]);
      CAPTURE(wanted.dump());
      const bool paired = wanted.contains("pair");
      const std::string second = paired ? from_hex(wanted["pair"]) : "";
      const std::string_view view = second;
      const std::string_view* pair = paired ? &view : nullptr;
      if (wanted["ids"].is_null()) {
        CHECK_THROWS_AS(tokenizer.encode(text, pair, encoding), edge_ptf::core::Error);
        continue;
      }
      tokenizer.encode(text, pair, encoding);
      CHECK(encoding.ids == wanted["ids"].get<std::vector<int64_t>>());
      CHECK(encoding.types == wanted["types"].get<std::vector<int64_t>>());
    }
  }
}

TEST_CASE("an unknown kind of tokenizer is refused with the known ones") {
  edge_ptf::core::TokenizerEntry entry;
  entry.kind = "bpe\n";
  try {
    edge_ptf::core::make_tokenizer(entry, {});
    FAIL("made");
  } catch (const edge_ptf::core::Error& error) {
    CHECK(error.status() == EDGE_PTF_BAD_INPUT);
    CHECK(std::string(error.what()) == "this runner has no tokenizer of the kind 'bpe?' (it has: wordpiece)");
  }
}

TEST_CASE("damaged tables are refused, or split texts somehow, without harm") {
  const std::string content = read_file(fixture("uncased.bin"));
  std::mt19937 random(11);
  std::string text;
  for (uint32_t i = 0; i < 400; ++i) {
    text += static_cast<char>(random());
  }
  const std::string_view pair = "turn on";
  edge_ptf::core::Encoding encoding;
  int refused = 0;
  for (int turn = 0; turn < 300; ++turn) {
    auto copy = aligned(content);
    auto* bytes = reinterpret_cast<unsigned char*>(copy.data());
    // Damages the header and the section table more often than their size suggests.
    const size_t range = turn % 2 == 0 ? 160 : content.size();
    for (int i = 0; i < 1 + turn % 4; ++i) {
      bytes[random() % range] = static_cast<unsigned char>(random());
    }
    try {
      const edge_ptf::core::WordPiece tokenizer(edge_ptf::core::WordPieceTables({bytes, content.size()}), 64,
                                                edge_ptf::core::Truncation::kLongestFirst,
                                                edge_ptf::core::TruncationSide::kRight);
      tokenizer.encode(text, nullptr, encoding);
      tokenizer.encode(text, &pair, encoding);
      CHECK(encoding.ids.size() <= 64);
    } catch (const edge_ptf::core::Error&) {
      ++refused;
    }
  }
  CHECK(refused > 50);
  for (size_t size = 0; size < content.size(); size += content.size() / 50 + 1) {
    const auto copy = aligned(content.substr(0, size));
    CHECK_THROWS_AS(edge_ptf::core::WordPieceTables({copy.data(), size}), edge_ptf::core::Error);
  }
}

namespace {

uint32_t number(const unsigned char* bytes, size_t at) {
  uint32_t value = 0;
  std::memcpy(&value, bytes + at, sizeof value);
  return value;
}

void put(unsigned char* bytes, size_t at, uint32_t value) {
  std::memcpy(bytes + at, &value, sizeof value);
}

// Where a section of the tables begins, and its size.
std::pair<size_t, size_t> section(const unsigned char* bytes, uint32_t kind) {
  for (uint32_t entry = 0; entry < number(bytes, 28); ++entry) {
    const size_t at = 32 + 12 * entry;
    if (number(bytes, at) == kind) {
      return {number(bytes, at + 4), number(bytes, at + 8)};
    }
  }
  return {0, 0};
}

}  // namespace

TEST_CASE("a template in which a text does not occur once is refused") {
  const std::string content = read_file(fixture("uncased.bin"));
  for (const uint32_t kind : {7U, 8U}) {
    for (const uint32_t role : {0U, 1U, 2U}) {
      auto copy = aligned(content);
      auto* bytes = reinterpret_cast<unsigned char*>(copy.data());
      const auto [begin, size] = section(bytes, kind);
      REQUIRE(size % 12 == 0);
      const edge_ptf::core::WordPieceTables sound({bytes, content.size()});
      bool changed = false;
      for (size_t at = begin; at < begin + size; at += 12) {
        changed = changed || number(bytes, at) != role;
        put(bytes, at, role);  // no text, too many, or the second text in place of the first
      }
      REQUIRE(changed);
      CHECK_THROWS_AS(edge_ptf::core::WordPieceTables({bytes, content.size()}), edge_ptf::core::Error);
    }
  }
}

TEST_CASE("a continuation that leads out of the trie is refused") {
  const std::string content = read_file(fixture("uncased.bin"));
  auto copy = aligned(content);
  auto* bytes = reinterpret_cast<unsigned char*>(copy.data());
  const auto [begin, size] = section(bytes, 1);
  const auto last = static_cast<uint32_t>(size / 4 - 1);
  put(bytes, begin + 4 * size_t{last},
      0x3FFFFFU << edge_ptf::core::WordPieceTables::kBaseShift);  // byte 0: read as an id
  CHECK_NOTHROW(edge_ptf::core::WordPieceTables({bytes, content.size()}));
  put(bytes, 24, last);
  CHECK_THROWS_AS(edge_ptf::core::WordPieceTables({bytes, content.size()}), edge_ptf::core::Error);
}
