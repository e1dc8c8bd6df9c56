#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "protocol.h"

namespace {

// Two packages, and a clock that only their calls advance.
struct Scene {
  double now = 0;
  std::string order;  // a and b, one letter per call
  std::vector<size_t> numbers;
  std::vector<double> moments;

  Call package(char name, double takes) {
    return [this, name, takes](size_t number) {
      moments.push_back(now);
      order += name;
      numbers.push_back(number);
      now += takes;
      return takes;
    };
  }
  Timer timer() {
    return {[this] { return now; }, [this](double moment) { now = std::max(now, moment); }};
  }
};

std::string block(char name) {
  std::string calls;
  calls.append(kBlock, name);
  return calls;
}

}  // namespace

TEST_CASE("two packages take turns in mirrored blocks over the same texts") {
  Scene scene;
  take_turns({scene.package('a', 1), scene.package('b', 4)}, {0, 35, 0}, scene.timer());
  const std::string abba = block('a') + block('b') + block('b') + block('a');
  CHECK(scene.order == abba + abba);
  std::vector<size_t> texts[2];
  for (size_t i = 0; i < scene.order.size(); ++i) {
    texts[scene.order[i] == 'a' ? 0 : 1].push_back(scene.numbers[i]);
  }
  CHECK(texts[0] == texts[1]);
  CHECK(texts[0].back() == 39);
}

TEST_CASE("a launch lasts until time and count are reached") {
  Scene scene;
  take_turns({scene.package('a', 1)}, {0.095, 10, 0}, scene.timer());
  CHECK(scene.order.size() == 100);
  take_turns({scene.package('a', 1)}, {0.095, 200, 0}, scene.timer());
  CHECK(scene.order.size() == 300);
}

TEST_CASE("paced calls begin at their moments, and none is dropped after a slow one") {
  Scene scene;
  take_turns({scene.package('a', 2)}, {0, 10, 100}, scene.timer());
  for (size_t i = 0; i < 10; ++i) {
    CHECK(scene.moments[i] == doctest::Approx(10.0 * static_cast<double>(i)));
  }
  Scene slow;
  take_turns({slow.package('a', 25)}, {0, 10, 100}, slow.timer());
  CHECK(slow.moments.back() == doctest::Approx(225));
}

TEST_CASE("warm-up ends when two successive medians agree") {
  size_t calls = 0;
  CHECK(warm_up([&calls](size_t) { return calls < 40 ? 100.0 - static_cast<double>(calls++) : 30.0; }) == 80);
  CHECK(warm_up([](size_t) { return 1.0; }) == 40);
  calls = 0;
  CHECK(warm_up([&calls](size_t) { return calls++ / kWindow % 2 == 0 ? 1.0 : 2.0; }) == 600);
}

TEST_CASE("an order belongs to its seed") {
  CHECK(shuffled(1, 0) == std::vector<size_t>{0});
  // The order of edge_ptf.runtime.turns.shuffled.
  CHECK(shuffled(10, 0) == std::vector<size_t>{8, 6, 7, 3, 9, 1, 2, 5, 0, 4});
  CHECK(shuffled(10, 4294967295U) == std::vector<size_t>{6, 9, 7, 2, 5, 0, 8, 4, 3, 1});
}
