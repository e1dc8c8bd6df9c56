// Answers to questions are parts of the second text. They are the same as those of Python.
#include <algorithm>
#include <cmath>

#include "edge_ptf.hpp"
#include "fixtures.h"
#include "utf8.h"

namespace {

constexpr double kTolerance = 0.05;  // of a probability: INT8 on another processor (docs/package.md section 7)

size_t characters(const std::string& text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* end = at + text.size();
  size_t count = 0;
  while (at < end) {
    at += edge_ptf::core::decode_utf8(at, end).size;
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("an answer is a part of the context, in windows as in Python") {
  const edge_ptf::Runner runner(fixture("questions.eptf"));
  edge_ptf::Answer answer(runner);
  size_t most = 0;
  size_t different = 0;
  const auto cases = read_cases("questions.jsonl");
  for (const nlohmann::json& wanted : cases) {
    const std::string text = from_hex(wanted["text"]);
    const std::string context = from_hex(wanted["pair"]);
    CAPTURE(text);
    CAPTURE(context);
    answer.ask(text, context);
    CHECK(answer.ids() == wanted["ids"].get<std::vector<int64_t>>());
    CHECK(std::abs(answer.score() - wanted["score"].get<double>()) < kTolerance);
    most = std::max(most, wanted["windows"].get<size_t>());
    CHECK(answer.items(EDGE_PTF_SCORES).empty());
    const auto found = answer.answers();
    REQUIRE(found.size() == (wanted["answer"].is_null() ? 0 : 1));
    if (found.empty()) {
      continue;
    }
    const edge_ptf_item item = found[0];
    CHECK(item.flags == EDGE_PTF_IN_PAIR);
    CHECK(item.score == answer.score());
    const std::string part = context.substr(item.begin_byte, item.end_byte - item.begin_byte);
    CHECK(std::string(item.label) == part.substr(0, part.find('\0')));
    CHECK(characters(context.substr(0, item.begin_byte)) == item.begin_character);
    CHECK(characters(context.substr(0, item.end_byte)) == item.end_character);
    different += item.begin_character == wanted["answer"]["start"].get<size_t>() &&
                         item.end_character == wanted["answer"]["end"].get<size_t>()
                     ? 0
                     : 1;
  }
  CHECK(most > 3);
  CHECK(different * 20 <= cases.size());  // two pairs of tokens can have almost the same score
}

TEST_CASE("a question needs a context") {
  const edge_ptf::Runner runner(fixture("questions.eptf"));
  edge_ptf::Answer answer(runner);
  CHECK_THROWS_WITH(answer.ask("what is on"), "this package answers pairs of texts");
}
