#include "protocol.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace {

constexpr double kAgreement = 0.05;  // largest relative difference of two successive medians
constexpr size_t kMostWarmup = 600;  // calls

}  // namespace

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::max<size_t>(rank, 1) - 1];
}

std::vector<size_t> shuffled(size_t count, uint32_t seed) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937 random(seed);  // std::shuffle differs between libraries
  for (size_t i = count; i > 1; --i) {
    std::swap(order[i - 1], order[random() % i]);
  }
  return order;
}

size_t warm_up(const Call& call) {
  double before = 0;
  size_t calls = 0;
  while (calls < kMostWarmup) {
    std::vector<double> times;
    for (size_t i = 0; i < kWindow; ++i) {
      times.push_back(call(i));
    }
    calls += kWindow;
    const double median = percentile(times, 0.5);
    if (before > 0 && std::abs(median - before) <= kAgreement * before) {
      break;
    }
    before = median;
  }
  return calls;
}

void take_turns(const std::vector<Call>& packages, const Pace& pace, const Timer& timer) {
  const double begin = timer.now();
  size_t slot = 0;
  bool mirrored = false;
  for (size_t place = 0; place < pace.calls || timer.now() - begin < 1000 * pace.seconds; place += kBlock) {
    for (size_t turn = 0; turn < packages.size(); ++turn) {
      const Call& call = packages[mirrored ? packages.size() - 1 - turn : turn];
      for (size_t number = place; number < place + kBlock; ++number) {
        if (pace.rate > 0) {
          timer.wait_until(begin + 1000 * static_cast<double>(slot++) / pace.rate);
        }
        call(number);
      }
    }
    mirrored = !mirrored;
  }
}
