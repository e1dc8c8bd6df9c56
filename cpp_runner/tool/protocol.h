// The order of calls in one launch: the warm-up, alternating blocks of calls, and the end of the launch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

constexpr size_t kBlock = 10;   // consecutive calls of one package
constexpr size_t kWindow = 20;  // calls whose median the warm-up compares

// Answers text `number`. Returns the time in milliseconds.
using Call = std::function<double(size_t number)>;

struct Pace {
  double seconds = 0;  // minimum time
  size_t calls = 0;    // minimum number of calls of each package
  double rate = 0;     // calls per second; 0: without a pause
};

// Milliseconds since a fixed moment, and a pause until a moment.
struct Timer {
  std::function<double()> now;
  std::function<void(double)> wait_until;
};

// The smallest value for which at least the share `share` of the values is not larger.
double percentile(std::vector<double> values, double share);

// The numbers 0 to count - 1 in an order that depends on the seed only. It is the same on every machine and in
// edge-ptf.
std::vector<size_t> shuffled(size_t count, uint32_t seed);

// Calls until the medians of two successive windows over the same texts agree. Returns the number of calls.
size_t warm_up(const Call& call);

// Calls the packages with the same texts in alternating blocks, in mirrored order each time (ABBA). Ends after a block
// of each package.
void take_turns(const std::vector<Call>& packages, const Pace& pace, const Timer& timer);
