// What callers may do wrong, many threads on one runner, and memory.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <thread>

#include "edge_ptf.hpp"
#include "fixtures.h"

// Allocations of this program by operator new, on this thread. ONNX Runtime's come here too.
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
  CHECK(std::string(edge_ptf_last_error()).find("edge_ptf_options_init") != std::string::npos);
  edge_ptf_options_init(&options);
  options.threads = 1000;
  CHECK(edge_ptf_open(path.c_str(), &options, &runner) == EDGE_PTF_BAD_INPUT);

  REQUIRE(edge_ptf_open(path.c_str(), nullptr, &runner) == EDGE_PTF_OK);
  CHECK(edge_ptf_result_create(nullptr, &result) == EDGE_PTF_BAD_INPUT);
  REQUIRE(edge_ptf_result_create(runner, &result) == EDGE_PTF_OK);
  CHECK(edge_ptf_predict(runner, nullptr, 0, nullptr, 0, result) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_predict(runner, "a", 1, nullptr, 0, nullptr) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_predict(nullptr, "a", 1, nullptr, 0, result) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_predict(runner, "a", 1, "b", 1, result) == EDGE_PTF_BAD_INPUT);  // takes no pairs
  CHECK(edge_ptf_result_label(result) == nullptr);
  CHECK(edge_ptf_predict_ids(runner, nullptr, nullptr, 1, result) == EDGE_PTF_BAD_INPUT);
  const int64_t id = 1;
  CHECK(edge_ptf_predict_ids(runner, &id, nullptr, 0, result) == EDGE_PTF_BAD_INPUT);
  const int64_t beyond = int64_t{1} << 40;  // no row of the embedding
  CHECK(edge_ptf_predict_ids(runner, &beyond, nullptr, 1, result) == EDGE_PTF_FAILED);
  CHECK(edge_ptf_result_label(result) == nullptr);

  // A failure leaves the handles usable.
  CHECK(edge_ptf_predict(runner, "turn on the lights", EDGE_PTF_TERMINATED, nullptr, 0, result) == EDGE_PTF_OK);
  CHECK(edge_ptf_result_label(result) != nullptr);
  CHECK(edge_ptf_predict(runner, "", 0, nullptr, 0, result) == EDGE_PTF_OK);

  edge_ptf_runner* other = nullptr;
  REQUIRE(edge_ptf_open(path.c_str(), nullptr, &other) == EDGE_PTF_OK);
  CHECK(edge_ptf_predict(other, "a", 1, nullptr, 0, result) == EDGE_PTF_BAD_INPUT);
  edge_ptf_close(other);

  edge_ptf_report report{};
  CHECK(edge_ptf_selftest(runner, &report) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_selftest(runner, nullptr) == EDGE_PTF_OK);
  edge_ptf_result_destroy(result);
  edge_ptf_close(runner);
  edge_ptf_result_destroy(nullptr);
  edge_ptf_close(nullptr);
}

TEST_CASE("NULL handles and indices beyond the last give nothing") {
  size_t count = 7;
  CHECK(edge_ptf_result_label(nullptr) == nullptr);
  CHECK(edge_ptf_result_score(nullptr) == 0);
  CHECK(edge_ptf_result_class_count(nullptr) == 0);
  CHECK(edge_ptf_result_ids(nullptr, &count) == nullptr);
  CHECK(count == 0);
  CHECK(edge_ptf_runner_name(nullptr) == nullptr);
  CHECK(edge_ptf_runner_label_count(nullptr) == 0);
  CHECK(edge_ptf_runner_max_length(nullptr) == 0);

  const edge_ptf::Runner runner(fixture("entities.eptf"));
  edge_ptf::Answer answer(runner);
  answer.ask("turn on the lights");
  edge_ptf_word word{};
  edge_ptf_entity entity{};
  CHECK(edge_ptf_result_word(answer.get(), 4, &word) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_result_word(answer.get(), 0, nullptr) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_result_entity(answer.get(), 1000, &entity) == EDGE_PTF_BAD_INPUT);
  CHECK(edge_ptf_result_class(answer.get(), 0, nullptr) == nullptr);
  CHECK(edge_ptf_runner_label(runner.get(), 1000) == nullptr);
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
        // Errors are each thread's own.
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

    // Token ids go to the engine with nothing around it; the whole way from text allocates no more than that. The
    // engine itself allocates a little more at some calls, so the fewest of several count.
    size_t whole = 0;
    size_t engine = 0;
    for (const std::string& text : texts) {
      answer.tokenize(text);
      const std::vector<int64_t> ids = answer.ids();
      whole += fewest_allocations([&] { answer.ask(text); });
      engine += fewest_allocations(
          [&] { edge_ptf::check(edge_ptf_predict_ids(runner.get(), ids.data(), nullptr, ids.size(), answer.get())); });
    }
    CHECK(whole == engine);
  }
}
