// The turns of one launch: how long a package warms up, which package is next, and when the launch ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

constexpr size_t kBlock = 10;   // calls of one package in a row
constexpr size_t kWindow = 20;  // calls whose median is compared in warm-up

// Answers text `number` and returns the milliseconds it took.
using Call = std::function<double(size_t number)>;

struct Pace {
  double seconds = 0;  // it lasts at least so long,
  size_t calls = 0;    // and at least so many calls of each package
  double rate = 0;     // calls a second; 0: without a pause
};

// Milliseconds since some moment, and a pause until then.
struct Timer {
  std::function<double()> now;
  std::function<void(double)> wait_until;
};

// The smallest value that at least `share` of the values do not exceed.
double percentile(std::vector<double> values, double share);

// The numbers 0 to count - 1 in the order that belongs to the seed, the same on every machine and in edge-ptf.
std::vector<size_t> shuffled(size_t count, uint32_t seed);

// Calls until the medians of two successive windows over the same texts agree; returns how many.
size_t warm_up(const Call& call);

// The packages answer the same texts in alternating blocks, mirrored each time (ABBA). It ends after a block of each.
void take_turns(const std::vector<Call>& packages, const Pace& pace, const Timer& timer);
