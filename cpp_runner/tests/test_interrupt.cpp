// Answers that are stopped.
#include <atomic>
#include <thread>

#include "api/interrupt.h"
#include "edge_ptf.hpp"
#include "fixtures.h"

namespace {

edge_ptf_status ask(edge_ptf_result* result, const std::string& text) {
  return edge_ptf_predict(result, text.data(), text.size(), nullptr, 0);
}

}  // namespace

TEST_CASE("a cancelled answer is interrupted, and the next one is made") {
  const edge_ptf::Runner runner(fixture("entities.eptf"));
  edge_ptf::Answer answer(runner);
  // Each word takes time to find, so the other thread meets this call.
  std::string text;
  for (int word = 0; word < 100'000; ++word) {
    text += "\xc3\xa9\xe2\x80\x8b";  // one long word
  }
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) {
      answer.cancel();
    }
  });
  edge_ptf_status status = EDGE_PTF_OK;
  for (int turn = 0; turn < 1000 && status == EDGE_PTF_OK; ++turn) {
    status = ask(answer.get(), text);
  }
  done = true;
  other.join();
  CHECK(status == EDGE_PTF_INTERRUPTED);
  CHECK(std::string(edge_ptf_last_error()) == "the answer was cancelled");
  CHECK(edge_ptf_result_count(answer.get(), 0, EDGE_PTF_WORDS) == 0);
  CHECK(edge_ptf_cancel(answer.get()) == EDGE_PTF_OK);  // nothing runs, so nothing happens
  CHECK(ask(answer.get(), "turn on the lights") == EDGE_PTF_OK);
  CHECK(edge_ptf_cancel(nullptr) == EDGE_PTF_BAD_INPUT);
}

TEST_CASE("an answer behind its deadline is interrupted") {
  edge_ptf::Options options;
  options.deadline_ms = 1;
  const edge_ptf::Runner runner(fixture("intents.eptf"), options);
  edge_ptf::Answer answer(runner);
  const std::string text(16 << 20, ' ');  // takes longer than 1 ms to read
  CHECK(ask(answer.get(), text) == EDGE_PTF_INTERRUPTED);
  CHECK(std::string(edge_ptf_last_error()) == "the answer took longer than the deadline of 1 ms");
  options.deadline_ms = 60'000;
  const edge_ptf::Runner patient(fixture("intents.eptf"), options);
  edge_ptf::Answer whole(patient);
  CHECK(whole.ask("turn on the lights").label() == edge_ptf::Answer(patient).ask("turn on the lights").label());
  options.deadline_ms = -1;
  CHECK_THROWS_AS(edge_ptf::Runner(fixture("intents.eptf"), options), edge_ptf::Failure);
}

TEST_CASE("a watchdog acts once for each start, and not after a stop") {
  std::atomic<int> times{0};
  edge_ptf::core::Watchdog watchdog(std::chrono::milliseconds(1), [&] { ++times; });
  for (int turn = 1; turn <= 3; ++turn) {
    watchdog.start();
    while (times < turn) {
      std::this_thread::yield();
    }
    watchdog.stop();
    CHECK(times == turn);
  }
}
