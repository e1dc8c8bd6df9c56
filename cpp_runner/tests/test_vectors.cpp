// The vector of a text, and the cosine of two texts. They are the same as those of Python.
#include <cmath>

#include "edge_ptf.hpp"
#include "fixtures.h"

namespace {

constexpr double kNumberTolerance = 0.05;  // of a number: INT8 on another processor (docs/package.md section 7)

double largest_difference(const std::vector<float>& found, const std::vector<double>& wanted) {
  REQUIRE(found.size() == wanted.size());
  double largest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    largest = std::max(largest, std::abs(double{found[i]} - wanted[i]));
  }
  return largest;
}

}  // namespace

TEST_CASE("a text has the vector of Python, alone and beside another one") {
  const edge_ptf::Runner runner(fixture("vectors.eptf"));
  CHECK_FALSE(runner.takes_pairs());
  edge_ptf::Answer answer(runner);
  for (const nlohmann::json& wanted : read_cases("vectors.jsonl")) {
    const std::string text = from_hex(wanted["text"]);
    const std::string pair = from_hex(wanted["pair"]);
    CAPTURE(text);
    CAPTURE(pair);
    answer.ask(text);
    CHECK(largest_difference(answer.vector(), wanted["vector"]) < kNumberTolerance);
    CHECK(answer.score() == 1);
    CHECK(answer.answers().empty());
    CHECK(answer.vector(1).empty());
    answer.ask(text, pair);
    CHECK(largest_difference(answer.vector(0), wanted["vector"]) < kNumberTolerance);
    CHECK(largest_difference(answer.vector(1), wanted["pair_vector"]) < kNumberTolerance);
    CHECK(std::abs(answer.score() - wanted["cosine"].get<double>()) < kNumberTolerance);
    REQUIRE(answer.answers().size() == 1);
    const edge_ptf_item item = answer.answers().front();
    CHECK(std::string(item.label) == "cosine");
    CHECK(item.flags == EDGE_PTF_NUMBER);
    CHECK(item.score == answer.score());
    const std::vector<float> first = answer.vector(0);
    CHECK(edge_ptf_cosine(first.data(), answer.vector(1).data(), first.size()) == answer.score());
  }
}

TEST_CASE("there is no vector without an answer, of another head, or of a third text") {
  const edge_ptf::Runner runner(fixture("vectors.eptf"));
  edge_ptf::Answer answer(runner);
  size_t count = 7;
  CHECK(edge_ptf_result_vector(nullptr, 0, 0, &count) == nullptr);
  CHECK(count == 0);
  CHECK(answer.vector().empty());
  answer.ask("turn on", "play music");
  CHECK(answer.vector(2).empty());
  CHECK(answer.vector(0, 1).empty());
  CHECK(edge_ptf_result_vector(answer.get(), 0, 0, nullptr) != nullptr);
  answer.tokenize("turn on");
  CHECK(answer.vector().empty());
}

TEST_CASE("a class is no vector") {
  const edge_ptf::Runner runner(fixture("intents.eptf"));
  edge_ptf::Answer answer(runner);
  answer.ask("turn on");
  CHECK(answer.score() > 0);
  CHECK(answer.vector().empty());
}

TEST_CASE("the cosine of stored vectors needs no package") {
  const float first[] = {3, 4, 0};
  const float second[] = {6, 8, 5};
  CHECK(edge_ptf_cosine(first, second, 2) == doctest::Approx(1));
  CHECK(edge_ptf_cosine(first, second, 3) == doctest::Approx(50 / (5 * std::sqrt(125.0))));
  CHECK(edge_ptf_cosine(first, second, 0) == 0);
  CHECK(edge_ptf_cosine(first, nullptr, 2) == 0);
}
