// Class centres: answers, and classes that are added to an open package.
#include <atomic>
#include <set>
#include <string>
#include <thread>

#include "edge_ptf.hpp"
#include "fixtures.h"

namespace {

edge_ptf_status add(const edge_ptf::Runner& runner, const char* name, const std::vector<const char*>& texts) {
  return edge_ptf_add_class(const_cast<edge_ptf_runner*>(runner.get()), name, texts.data(), texts.size());
}

}  // namespace

TEST_CASE("the answer of class centres is that of Python") {
  const edge_ptf::Runner runner(fixture("prototypes.eptf"));
  edge_ptf::Answer answer(runner);
  for (const nlohmann::json& wanted : read_cases("prototypes.jsonl")) {
    answer.ask(from_hex(wanted["text"]));
    CHECK(answer.score() == doctest::Approx(wanted["score"].get<double>()).epsilon(0.05));
    CHECK(answer.tensor("vector").rank == 1);
  }
  CHECK(runner.selftest().golden > 0);
}

TEST_CASE("a class that is added is answered and listed") {
  const edge_ptf::Runner runner(fixture("prototypes.eptf"));
  edge_ptf::Answer answer(runner);
  const std::string text = "play some music please";
  const std::string before(answer.ask(text).label());
  const size_t count = runner.head().label_count;
  runner.add_class("new", {text});
  CHECK(runner.head().label_count == count + 1);
  CHECK(runner.labels().back() == "new");
  CHECK(answer.label() == before);  // the old answer stays
  CHECK(answer.items(EDGE_PTF_SCORES).size() == count);
  CHECK(answer.ask(text).label() == "new");
  CHECK(answer.items(EDGE_PTF_SCORES).size() == count + 1);
  CHECK(edge_ptf_runner_label(runner.get(), 0, count + 1) == nullptr);
  CHECK(answer.tensor().shape[0] == count);  // the output of the graph
  CHECK(runner.selftest().golden > 0);
  const edge_ptf::Runner again(fixture("prototypes.eptf"));
  CHECK(again.head().label_count == count);
}

TEST_CASE("a class that cannot be added is refused") {
  const edge_ptf::Runner runner(fixture("prototypes.eptf"));
  const std::string taken(runner.labels().front());
  CHECK(add(runner, taken.c_str(), {"x"}) == EDGE_PTF_BAD_INPUT);
  CHECK(std::string(edge_ptf_last_error()).find("already") != std::string::npos);
  for (const char* name : {"", " ", "a\nb", "a\x7f", "a\xc2\x85", "a\xff", "a\xed\xa0\x80", "\xe3\x80\x80"}) {
    CAPTURE(name);
    CHECK(add(runner, name, {"x"}) == EDGE_PTF_BAD_INPUT);
  }
  CHECK(add(runner, "new", {}) == EDGE_PTF_BAD_INPUT);
  CHECK(add(runner, "new", {"x", nullptr}) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_add_class(nullptr, "new", nullptr, 0) == EDGE_PTF_BAD_INPUT);
  CHECK(add(runner, nullptr, {"x"}) == EDGE_PTF_BAD_INPUT);
  const edge_ptf::Runner intents(fixture("intents.eptf"));
  CHECK(add(intents, "new", {"x"}) == EDGE_PTF_BAD_INPUT);
  CHECK(std::string(edge_ptf_last_error()).find("takes no new class") != std::string::npos);
  CHECK(add(runner, "\xef\xbf\xbd", {"x"}) == EDGE_PTF_OK);  // U+FFFD itself is a character
  CHECK(add(runner, "\xef\xbf\xbd", {"x"}) == EDGE_PTF_BAD_INPUT);
}

TEST_CASE("threads answer while classes are added") {
  const edge_ptf::Runner runner(fixture("prototypes.eptf"));
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  threads.reserve(2);
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      edge_ptf::Answer answer(runner);
      while (!done) {
        const std::string label(answer.ask("turn on").label());
        CHECK_FALSE(label.empty());
        CHECK(answer.items(EDGE_PTF_SCORES).front().label == label);
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    runner.add_class("class " + std::to_string(i), {"play " + std::to_string(i)});
  }
  done = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::vector<std::string_view> labels = runner.labels();
  CHECK(std::set<std::string_view>(labels.begin(), labels.end()).size() == labels.size());
}
