// Wrong calls, lifetimes, several heads, many threads on one runner, and memory.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <thread>

#include "edge_ptf.hpp"
#include "fixtures.h"

// Allocations with operator new on this thread, including those of ONNX Runtime.
static thread_local size_t allocations = 0;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 1
void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) {
    return memory;
  }
  throw std::bad_alloc();
}
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
#else
#define COUNTS_ALLOCATIONS 0
#endif

TEST_CASE("wrong arguments are refused with a reason") {
  edge_ptf_runner* runner = nullptr;
  edge_ptf_result* result = nullptr;
  const std::string path = fixture("intents.eptf");

  CHECK(edge_ptf_open(nullptr, nullptr, &runner) == EDGE_PTF_BAD_INPUT);
  CHECK(std::string(edge_ptf_last_error()) == "path is NULL");
  CHECK(edge_ptf_open(path.c_str(), nullptr, nullptr) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_open("/no/such/package.eptf", nullptr, &runner) == EDGE_PTF_BAD_INPUT);
  CHECK(runner == nullptr);
  CHECK(std::string(edge_ptf_last_error()).find("/no/such/package.eptf") == 0);
  alignas(4) static const char content[] = "PK";
  CHECK(edge_ptf_open_memory(content, 2, nullptr, &runner) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_open_memory(content + 1, 1, nullptr, &runner) == EDGE_PTF_BAD_INPUT);
  CHECK(std::string(edge_ptf_last_error()) == "content does not begin at a multiple of four bytes");

  edge_ptf_options options{};
  CHECK(edge_ptf_open(path.c_str(), &options, &runner) == EDGE_PTF_BAD_INPUT);
  CHECK(std::string(edge_ptf_last_error()) == "options: set struct_size to sizeof(edge_ptf_options)");
  options.struct_size = sizeof options;
  options.spinning = 3;
  CHECK(edge_ptf_open(path.c_str(), &options, &runner) == EDGE_PTF_BAD_INPUT);
  options.spinning = EDGE_PTF_OFF;
  options.threads = -1;
  CHECK(edge_ptf_open(path.c_str(), &options, &runner) == EDGE_PTF_BAD_INPUT);
  options.threads = 1000;
  CHECK(edge_ptf_open(path.c_str(), &options, &runner) == EDGE_PTF_BAD_INPUT);

  REQUIRE(edge_ptf_open(path.c_str(), nullptr, &runner) == EDGE_PTF_OK);
  CHECK(edge_ptf_result_create(nullptr, &result) == EDGE_PTF_BAD_INPUT);
  REQUIRE(edge_ptf_result_create(runner, &result) == EDGE_PTF_OK);
  CHECK(edge_ptf_predict(result, nullptr, 0, nullptr, 0) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_predict(nullptr, "a", 1, nullptr, 0) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_tokenize(nullptr, "a", 1, nullptr, 0) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_predict(result, "a", 1, "b", 1) == EDGE_PTF_BAD_INPUT);  // takes no pairs
  CHECK(edge_ptf_result_label(result, 0) == nullptr);
  const int64_t id = 1;
  CHECK(edge_ptf_predict_ids(result, nullptr, nullptr, 1) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_predict_ids(nullptr, &id, nullptr, 1) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_predict_ids(result, &id, nullptr, 0) == EDGE_PTF_BAD_INPUT);
  const int64_t beyond = int64_t{1} << 40;  // no row of the embedding
  CHECK(edge_ptf_predict_ids(result, &beyond, nullptr, 1) == EDGE_PTF_FAILED);
  CHECK(edge_ptf_result_label(result, 0) == nullptr);

  // A failure leaves the handles usable.
  CHECK(edge_ptf_predict(result, "turn on the lights", EDGE_PTF_TERMINATED, nullptr, 0) == EDGE_PTF_OK);
  CHECK(edge_ptf_result_label(result, 0) != nullptr);
  CHECK(edge_ptf_predict(result, "", 0, nullptr, 0) == EDGE_PTF_OK);

  edge_ptf_report report{};
  CHECK(edge_ptf_selftest(runner, &report) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_selftest(runner, nullptr) == EDGE_PTF_OK);
  edge_ptf_result_destroy(result);
  edge_ptf_close(runner);
  edge_ptf_result_destroy(nullptr);
  edge_ptf_close(nullptr);
}

TEST_CASE("the example of the header survives a missing package") {
  edge_ptf_runner* runner = nullptr;
  edge_ptf_result* result = nullptr;
  edge_ptf_status status = edge_ptf_open("/no/such/package.eptf", nullptr, &runner);
  if (status == EDGE_PTF_OK) {
    status = edge_ptf_result_create(runner, &result);
  }
  if (status == EDGE_PTF_OK) {
    status = edge_ptf_predict(result, "turn on the lights", EDGE_PTF_TERMINATED, nullptr, 0);
  }
  CHECK(status == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_result_label(result, 0) == nullptr);
  edge_ptf_result_destroy(result);
  edge_ptf_close(runner);
}

TEST_CASE("NULL handles and indices beyond the last give nothing") {
  size_t count = 7;
  CHECK(edge_ptf_result_label(nullptr, 0) == nullptr);
  CHECK(edge_ptf_result_score(nullptr, 0) == 0);
  CHECK(edge_ptf_result_count(nullptr, 0, EDGE_PTF_SCORES) == 0);
  CHECK(edge_ptf_result_ids(nullptr, &count) == nullptr);
  CHECK(count == 0);
  CHECK(edge_ptf_runner_name(nullptr) == nullptr);
  CHECK(edge_ptf_runner_head_count(nullptr) == 0);
  CHECK(edge_ptf_runner_label(nullptr, 0, 0) == nullptr);
  CHECK(edge_ptf_runner_max_length(nullptr) == 0);
  auto timing = edge_ptf::sized<edge_ptf_timing>();
  CHECK(edge_ptf_result_timing(nullptr, &timing) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_result_timing(nullptr, nullptr) == EDGE_PTF_BAD_INPUT);

  const edge_ptf::Runner runner(fixture("entities.eptf"));
  edge_ptf::Answer answer(runner);
  answer.ask("turn on the lights");
  auto item = edge_ptf::sized<edge_ptf_item>();
  auto tensor = edge_ptf::sized<edge_ptf_tensor>();
  auto head = edge_ptf::sized<edge_ptf_head>();
  CHECK(edge_ptf_result_item(answer.get(), 0, EDGE_PTF_WORDS, 3, &item) == EDGE_PTF_OK);
  CHECK(edge_ptf_result_item(answer.get(), 0, EDGE_PTF_WORDS, 4, &item) == EDGE_PTF_BAD_INPUT);
  CHECK(item.label == nullptr);
  CHECK(edge_ptf_result_item(answer.get(), 0, EDGE_PTF_WORDS, 0, nullptr) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_result_item(answer.get(), 0, EDGE_PTF_ANSWERS, 1000, &item) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_result_item(answer.get(), 0, EDGE_PTF_SCORES, 0, &item) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_result_item(answer.get(), 1, EDGE_PTF_WORDS, 0, &item) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_result_item(answer.get(), 0, 99, 0, &item) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_result_count(answer.get(), 0, -1) == 0);
  CHECK(edge_ptf_result_tensor(answer.get(), 0, "vector", &tensor) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_result_tensor(answer.get(), 1, "logits", &tensor) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_result_tensor(answer.get(), 0, nullptr, &tensor) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_runner_head(runner.get(), 1, &head) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_runner_label(runner.get(), 0, 1000) == nullptr);
  answer.tokenize("turn on");
  CHECK(edge_ptf_result_tensor(answer.get(), 0, "logits", &tensor) == EDGE_PTF_BAD_INPUT);
  CHECK(answer.words().empty());
}

TEST_CASE("a result keeps its runner alive") {
  edge_ptf::Answer answer{edge_ptf::Runner(fixture("intents.eptf"))};
  CHECK_FALSE(answer.ask("turn on the lights").label().empty());
  CHECK(answer.runner().labels().size() == 3);

  edge_ptf_runner* runner = nullptr;
  edge_ptf_result* result = nullptr;
  REQUIRE(edge_ptf_open(fixture("intents.eptf").c_str(), nullptr, &runner) == EDGE_PTF_OK);
  REQUIRE(edge_ptf_result_create(runner, &result) == EDGE_PTF_OK);
  edge_ptf_close(runner);
  CHECK(edge_ptf_predict(result, "turn on the lights", EDGE_PTF_TERMINATED, nullptr, 0) == EDGE_PTF_OK);
  CHECK(edge_ptf_result_label(result, 0) == std::string(answer.label()));
  edge_ptf_result_destroy(result);
}

TEST_CASE("options keep a copy of the affinity") {
  edge_ptf::Options options;
  {
    std::string list = "1";
    options.affinity = list;
    list = "damaged";
  }
  options.threads = 2;
  const edge_ptf::Options copy = options;
  const char* affinity = copy.c_options().affinity;
  CHECK(std::string(affinity == nullptr ? "" : affinity) == "1");
  CHECK(edge_ptf::Runner(fixture("intents.eptf"), copy).threads() == 2);
}

TEST_CASE("several heads on one graph answer one text") {
  const edge_ptf::Runner both(fixture("two-heads.eptf"));
  REQUIRE(both.head_count() == 2);
  CHECK(both.head(0).kind == std::string("token"));
  CHECK(both.head(1).name == std::string("topic"));
  CHECK(both.labels(1).front() == "class 0");
  edge_ptf::Answer answer(both);
  edge_ptf::Answer tagger{edge_ptf::Runner(fixture("entities.eptf"))};
  for (const char* text : {"turn on the lights", "", "play some jazz music"}) {
    answer.ask(text);
    tagger.ask(text);
    const auto words = answer.words(0);
    const auto wanted = tagger.words();
    REQUIRE(words.size() == wanted.size());
    for (size_t i = 0; i < words.size(); ++i) {
      CHECK(words[i].label == std::string(wanted[i].label));
      CHECK(words[i].score == wanted[i].score);
    }
    // The second head reads the mean of the tokens' logits.
    const edge_ptf_tensor logits = answer.tensor("logits", 0);
    const edge_ptf_tensor mean = answer.tensor("logits", 1);
    REQUIRE(logits.rank == 2);
    REQUIRE(mean.rank == 1);
    REQUIRE(mean.shape[0] == logits.shape[1]);
    for (size_t column = 0; column < mean.shape[0]; ++column) {
      double sum = 0;
      for (size_t row = 0; row < logits.shape[0]; ++row) {
        sum += double{logits.values[row * logits.shape[1] + column]};
      }
      CHECK(double{mean.values[column]} == doctest::Approx(sum / static_cast<double>(logits.shape[0])).epsilon(1e-4));
    }
    const auto scores = answer.items(EDGE_PTF_SCORES, 1);
    REQUIRE(scores.size() == 3);
    CHECK(scores[0].score >= scores[1].score);
    CHECK(answer.label(1) == scores[0].label);
    CHECK(answer.score(1) == scores[0].score);
    CHECK(answer.words(1).empty());
    CHECK(answer.items(EDGE_PTF_SCORES, 0).empty());
  }
  // Without a text only the second head answers.
  answer.ask(answer.ids());
  CHECK(answer.answers(0).empty());
  CHECK_FALSE(answer.label(1).empty());
}

TEST_CASE("a package without tables says which part of its tokenizer is unknown") {
  const edge_ptf::Runner runner(fixture("ids-only.eptf"));
  CHECK_FALSE(runner.has_tokenizer());
  edge_ptf::Answer answer(runner);
  try {
    answer.ask("turn on the lights");
    FAIL("answered");
  } catch (const edge_ptf::Failure& failure) {
    CHECK(failure.status() == EDGE_PTF_BAD_INPUT);
    CHECK(std::string(failure.what()).find("BPE") != std::string::npos);
  }
  CHECK_NOTHROW(answer.ask(std::vector<int64_t>{0, 10, 2}));
}

TEST_CASE("one runner answers many threads") {
  constexpr int kThreads = 8;
  const edge_ptf::Runner runner(fixture("intents.eptf"));
  const auto cases = read_cases("intents.jsonl");
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      edge_ptf::Answer answer(runner);
      for (size_t i = 0; i < cases.size(); ++i) {
        const auto& wanted = cases[(i + static_cast<size_t>(number) * 7) % cases.size()];
        answer.ask(from_hex(wanted["text"]));
        wrong += answer.ids() != wanted["ids"].get<std::vector<int64_t>>();
        // Each thread has its own errors.
        edge_ptf_runner* none = nullptr;
        const std::string path = "/none/" + std::to_string(number);
        wrong += edge_ptf_open(path.c_str(), nullptr, &none) != EDGE_PTF_BAD_INPUT;
        wrong += std::string(edge_ptf_last_error()).find(path) != 0;
      }
    });
  }
  for (std::thread& each : threads) {
    each.join();
  }
  CHECK(wrong == 0);
}

TEST_CASE("runners open and close on many threads at once") {
  constexpr int kThreads = 4;
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&answered, number] {
      for (int turn = 0; turn < 3; ++turn) {
        const edge_ptf::Runner runner(fixture(number % 2 == 0 ? "intents.eptf" : "entities.eptf"));
        edge_ptf::Answer answer(runner);
        answered += answer.ask("turn on the lights").ids().empty() ? 0 : 1;
      }
    });
  }
  for (std::thread& each : threads) {
    each.join();
  }
  CHECK(answered == 12);
}

namespace {

template <typename Work>
size_t fewest_allocations(Work work) {
  size_t fewest = SIZE_MAX;
  for (int turn = 0; turn < 3; ++turn) {
    const size_t before = allocations;
    work();
    fewest = std::min(fewest, allocations - before);
  }
  return fewest;
}

}  // namespace

TEST_CASE("after warm-up only the engine allocates") {
  if (!COUNTS_ALLOCATIONS) {
    return;
  }
  for (const char* name : {"intents", "entities"}) {
    const edge_ptf::Runner runner(fixture(std::string(name) + ".eptf"));
    edge_ptf::Answer answer(runner);
    std::vector<std::string> texts;
    for (const auto& wanted : read_cases(std::string(name) + ".jsonl")) {
      texts.push_back(from_hex(wanted["text"]));
    }
    for (int turn = 0; turn < 2; ++turn) {
      for (const std::string& text : texts) {
        answer.ask(text);
      }
    }
    const size_t before = allocations;
    for (const std::string& text : texts) {
      answer.tokenize(text);
    }
    CHECK(allocations == before);

    // Token ids go straight to the engine. An answer from text must not allocate more. The engine allocates a little
    // more in some calls, so the fewest of several calls count.
    size_t whole = 0;
    size_t engine = 0;
    for (const std::string& text : texts) {
      answer.tokenize(text);
      const std::vector<int64_t> ids = answer.ids();
      whole += fewest_allocations([&] { answer.ask(text); });
      engine += fewest_allocations(
          [&] { edge_ptf::check(edge_ptf_predict_ids(answer.get(), ids.data(), nullptr, ids.size())); });
    }
    CHECK(whole == engine);
  }
}

TEST_CASE("after warm-up windows allocate nothing more") {
  if (!COUNTS_ALLOCATIONS) {
    return;
  }
  const edge_ptf::Runner runner(fixture("questions.eptf"));
  edge_ptf::Answer answer(runner);
  const std::string question = "what is in the kitchen";
  std::string context;
  for (int turn = 0; turn < 100; ++turn) {
    context += "turn on the lights in the kitchen ";
  }
  for (int turn = 0; turn < 3; ++turn) {
    answer.ask(question, context);
  }
  const size_t before = allocations;
  answer.tokenize(question, context);
  CHECK(allocations == before);
  // The windows and the answer together must not allocate more than the engine does for each window.
  const size_t one = fewest_allocations([&] { answer.ask(question, "the kitchen"); });
  const size_t all = fewest_allocations([&] { answer.ask(question, context); });
  answer.tokenize(question, context);
  const size_t windows = answer.ids().size() / runner.max_length() + 1;
  CHECK(windows > 5);
  CHECK(all <= one * windows);
}
