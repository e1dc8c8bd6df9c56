// The ids, labels, tags and entities are the same as those of Python with ONNX Runtime.
#include <algorithm>
#include <cmath>

#include "edge_ptf.hpp"
#include "fixtures.h"

namespace {

constexpr double kTolerance =
    0.05;  // largest difference of a probability: INT8 on another processor (docs/package.md section 7)

std::vector<int64_t> types(const edge_ptf::Answer& answer) {
  size_t count = 0;
  const int64_t* first = edge_ptf_result_types(answer.get(), &count);
  return {first, first + count};
}

void ask(edge_ptf::Answer& answer, const nlohmann::json& wanted) {
  const std::string text = from_hex(wanted["text"]);
  wanted.contains("pair") ? answer.ask(text, from_hex(wanted["pair"])) : answer.ask(text);
}

// A label may only differ if the probabilities of two classes are within the tolerance in Python.
void compare(const edge_ptf::Answer& answer, const nlohmann::json& wanted, size_t& near_ties) {
  CHECK(answer.ids() == wanted["ids"].get<std::vector<int64_t>>());
  CHECK(types(answer) == wanted["types"].get<std::vector<int64_t>>());
  CHECK(std::abs(answer.score() - wanted["score"].get<double>()) < kTolerance);
  const bool near_tie = wanted["margin"].get<double>() < kTolerance;
  if (wanted["label"].is_string()) {
    const bool same = answer.label() == wanted["label"].get<std::string>();
    CHECK((same || near_tie));
    near_ties += same ? 0 : 1;
    return;
  }
  std::vector<std::string> tags;
  for (const edge_ptf_item& word : answer.words()) {
    tags.emplace_back(word.label);
  }
  const auto relations = answer.relations();
  for (const edge_ptf_item& relation : relations) {
    tags.push_back(std::to_string(relation.subject) + " " + std::to_string(relation.object) + " " + relation.label);
  }
  const bool same = tags == wanted["label"].get<std::vector<std::string>>();
  CHECK((same || near_tie));
  near_ties += same ? 0 : 1;
  if (!same) {
    return;
  }
  const auto entities = answer.answers();
  REQUIRE(entities.size() == wanted["entities"].size());
  for (size_t i = 0; i < entities.size(); ++i) {
    CHECK(std::string(entities[i].label) == wanted["entities"][i]["type"].get<std::string>());
    CHECK(entities[i].begin_character == wanted["entities"][i]["start"].get<size_t>());
    CHECK(entities[i].end_character == wanted["entities"][i]["end"].get<size_t>());
  }
  for (size_t i = 0; i < relations.size(); ++i) {
    CHECK(std::abs(relations[i].score - wanted["triples"][i]["score"].get<double>()) < kTolerance);
  }
}

void compare_all(const std::string& name, const std::string& package) {
  const edge_ptf::Runner runner(fixture(package));
  edge_ptf::Answer answer(runner);
  size_t near_ties = 0;
  for (const nlohmann::json& wanted : read_cases(name + ".jsonl")) {
    CAPTURE(from_hex(wanted["text"]));
    ask(answer, wanted);
    compare(answer, wanted, near_ties);
  }
  MESSAGE(name << ": near-ties answered otherwise: " << near_ties);
}

}  // namespace

TEST_CASE("a text gets the ids and the label that Python gives it") {
  for (const char* name : {"intents", "entities", "pairs", "entities-left", "pairs-left", "entities-constrained",
                           "relations", "relations-left", "triples"}) {
    CAPTURE(name);
    compare_all(name, std::string(name) + ".eptf");
  }
}

TEST_CASE("a triple names its relation and two entities of the answer") {
  const edge_ptf::Runner runner(fixture("triples.eptf"));
  const std::vector<std::string_view> labels = runner.labels();
  edge_ptf::Answer answer(runner);
  size_t triples = 0;
  for (const nlohmann::json& wanted : read_cases("triples.jsonl")) {
    ask(answer, wanted);
    const auto entities = answer.answers();
    for (const edge_ptf_item& relation : answer.relations()) {
      REQUIRE(relation.subject < entities.size());
      REQUIRE(relation.object < entities.size());
      CHECK(relation.subject != relation.object);
      CHECK(relation.flags == 0);
      CHECK(std::find(labels.begin(), labels.end(), std::string_view(relation.label)) != labels.end());
      CHECK(relation.score <= std::min(entities[relation.subject].score, entities[relation.object].score));
      ++triples;
    }
    CHECK(answer.items(EDGE_PTF_SCORES).empty());
  }
  CHECK(triples > 0);
  answer.ask(answer.ids());
  CHECK(answer.relations().empty());  // entities exist only in a text
}

TEST_CASE("by constrained decoding every I- tag continues an entity of its type") {
  const edge_ptf::Runner greedy(fixture("entities.eptf"));
  const edge_ptf::Runner constrained(fixture("entities-constrained.eptf"));
  edge_ptf::Answer free(greedy);
  edge_ptf::Answer answer(constrained);
  size_t broken = 0;  // of the greedy answers
  for (const nlohmann::json& wanted : read_cases("entities-constrained.jsonl")) {
    CAPTURE(from_hex(wanted["text"]));
    ask(answer, wanted);
    ask(free, wanted);
    for (const edge_ptf::Answer* each : {&answer, &free}) {
      std::string before = "O";
      size_t faults = 0;
      for (const edge_ptf_item& word : each->words()) {
        const std::string tag = word.label;
        faults += tag[0] == 'I' && (before == "O" || before.substr(2) != tag.substr(2)) ? 1 : 0;
        before = tag;
      }
      CHECK((each == &free || faults == 0));
      broken += faults;
    }
  }
  CHECK(broken > 0);
}

TEST_CASE("the scores begin with the answer, whatever decided it") {
  for (const char* package : {"intents.eptf", "pairs.eptf", "out-of-scope.eptf"}) {
    CAPTURE(package);
    const edge_ptf::Runner runner(fixture(package));
    const std::vector<std::string_view> labels = runner.labels();
    edge_ptf::Answer answer(runner);
    size_t by_threshold = 0;
    size_t by_class = 0;
    for (const nlohmann::json& wanted : read_cases(runner.takes_pairs() ? "pairs.jsonl" : "intents.jsonl")) {
      ask(answer, wanted);
      const auto scores = answer.items(EDGE_PTF_SCORES);
      const bool is_class = std::find(labels.begin(), labels.end(), answer.label()) != labels.end();
      REQUIRE(scores.size() == labels.size() + (is_class ? 0 : 1));
      CHECK(scores[0].label == answer.label());
      CHECK(scores[0].score == answer.score());
      CHECK(scores[0].flags == answer.answers()[0].flags);
      for (size_t i = 1; i < scores.size(); ++i) {
        CHECK(scores[i].label != answer.label());
        CHECK(scores[i].flags == 0);
        CHECK((i == 1 || scores[i].score <= scores[i - 1].score));
      }
      CHECK(answer.by_threshold() == answer.out_of_scope());  // no class is trained for the out-of-scope label
      if (answer.by_threshold()) {
        CHECK(answer.score() == 1.0 - scores[1].score);
      }
      by_threshold += answer.by_threshold() ? 1 : 0;
      by_class += answer.by_threshold() ? 0 : 1;
    }
    CHECK(by_class > 0);
    CHECK((by_threshold > 0) == (package == std::string("out-of-scope.eptf")));
  }
}

TEST_CASE("an unpacked package answers as its file") {
  compare_all("intents", "intents");
}

TEST_CASE("a package in memory answers as its file") {
  const std::string content = read_file(fixture("entities.eptf"));
  const edge_ptf::Runner runner(content.data(), content.size());
  edge_ptf::Answer answer(runner);
  size_t near_ties = 0;
  for (const nlohmann::json& wanted : read_cases("entities.jsonl")) {
    ask(answer, wanted);
    compare(answer, wanted, near_ties);
  }
}

TEST_CASE("token ids get the answer that their text gets") {
  const edge_ptf::Runner runner(fixture("intents.eptf"));
  edge_ptf::Answer from_text(runner);
  edge_ptf::Answer from_ids(runner);
  for (const nlohmann::json& wanted : read_cases("intents.jsonl")) {
    from_text.ask(from_hex(wanted["text"]));
    from_ids.ask(from_text.ids());
    CHECK(from_ids.label() == from_text.label());
    CHECK(from_ids.score() == from_text.score());
  }
}

TEST_CASE("a text with too many words to tag is refused before they take memory") {
  edge_ptf_runner* runner = nullptr;
  edge_ptf_result* result = nullptr;
  REQUIRE(edge_ptf_open(fixture("entities.eptf").c_str(), nullptr, &runner) == EDGE_PTF_OK);
  REQUIRE(edge_ptf_result_create(runner, &result) == EDGE_PTF_OK);
  std::string text;
  for (int word = 0; word < 1 << 20; ++word) {
    text += "a ";
  }
  CHECK(edge_ptf_predict(result, text.data(), text.size(), nullptr, 0) == EDGE_PTF_OK);
  CHECK(edge_ptf_result_count(result, 0, EDGE_PTF_WORDS) == 1 << 20);
  text += "a";
  CHECK(edge_ptf_predict(result, text.data(), text.size(), nullptr, 0) == EDGE_PTF_BAD_INPUT);
  CHECK(std::string(edge_ptf_last_error()) == "the text has more than 1048576 words; truncate it first");
  edge_ptf_result_destroy(result);
  edge_ptf_close(runner);
}

TEST_CASE("a text of more than 16 MiB is refused") {
  edge_ptf_runner* runner = nullptr;
  edge_ptf_result* result = nullptr;
  REQUIRE(edge_ptf_open(fixture("pairs.eptf").c_str(), nullptr, &runner) == EDGE_PTF_OK);
  REQUIRE(edge_ptf_result_create(runner, &result) == EDGE_PTF_OK);
  std::string text((16 << 20), ' ');
  CHECK(edge_ptf_predict(result, text.data(), text.size(), "turn on", 7) == EDGE_PTF_OK);
  text += "a";
  CHECK(edge_ptf_predict(result, "turn on", 7, text.data(), text.size()) == EDGE_PTF_BAD_INPUT);
  CHECK(std::string(edge_ptf_last_error()) == "a text of more than 16 MiB; truncate it first");
  edge_ptf_result_destroy(result);
  edge_ptf_close(runner);
}

TEST_CASE("golden vectors are answered") {
  for (const char* name : {"intents.eptf", "entities.eptf", "pairs.eptf", "ids-only.eptf", "two-heads.eptf",
                           "entities-constrained.eptf", "intents"}) {
    CAPTURE(name);
    const edge_ptf_report report = edge_ptf::Runner(fixture(name)).selftest();
    CHECK(report.golden > 0);
    CHECK(report.largest_difference <= report.tolerance);
  }
}

TEST_CASE("entities that are given by their bytes are answered as marked ones") {
  const edge_ptf::Runner runner(fixture("relations.eptf"));
  edge_ptf::Answer marked(runner);
  edge_ptf::Answer spans(runner);
  const std::string text = "play some jäzz in the kitchen";
  marked.ask("<e2>play</e2> some <e1>jäzz</e1> in the kitchen");
  spans.ask(text, {10, 15}, {0, 4});
  CHECK(spans.ids() == marked.ids());
  CHECK(spans.label() == marked.label());
  CHECK(spans.score() == marked.score());
}

TEST_CASE("wrong entities are refused") {
  const edge_ptf::Runner runner(fixture("relations.eptf"));
  edge_ptf::Answer answer(runner);
  const std::string text = "jäzz in the kitchen";
  CHECK_THROWS_WITH(answer.ask(text, {0, 0}, {5, 9}), "the entity 0:0 is empty or outside the text of 20 bytes");
  CHECK_THROWS_WITH(answer.ask(text, {0, 1}, {18, 21}), "the entity 18:21 is empty or outside the text of 20 bytes");
  CHECK_THROWS_WITH(answer.ask(text, {0, 2}, {6, 8}), "the entity 0:2 divides a character");
  CHECK_THROWS_WITH(answer.ask(text, {0, 5}, {3, 8}), "the entities overlap");
  CHECK_THROWS_WITH(answer.ask("a <e1> b", {0, 1}, {7, 8}),
                    "the text has offsets of entities, and the marker <e1> too");
  CHECK_THROWS_WITH(answer.ask("jazz in the kitchen"), "the text has no marker <e1>; mark both entities");
  edge_ptf::Answer other{edge_ptf::Runner(fixture("intents.eptf"))};
  CHECK_THROWS_WITH(other.ask(text, {0, 5}, {6, 8}), "the package answers nothing about two entities");
}
