#include "engines/tensorrt/buckets.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "engines/tensorrt/engine_key.h"

namespace edge_ptf::core {

void check_buckets(const std::vector<Bucket>& buckets, size_t max_length, const std::string& place) {
  for (size_t length = 1; length <= max_length;) {
    size_t most = 0;
    for (const Bucket& bucket : buckets) {
      most = bucket.least <= length ? std::max(most, bucket.most) : most;
    }
    if (most < length) {
      unfit_engine(place, "it takes no text of " + std::to_string(length) + " tokens, and the package takes 1 to " +
                              std::to_string(max_length));
    }
    length = most + 1;
  }
}

size_t bucket_for(const std::vector<Bucket>& buckets, size_t length) {
  size_t found = buckets.size();
  for (size_t i = 0; i < buckets.size(); ++i) {
    const bool fits = buckets[i].least <= length && length <= buckets[i].most;
    if (fits && (found == buckets.size() || buckets[i].most < buckets[found].most)) {
      found = i;
    }
  }
  if (found == buckets.size()) {
    refuse("the engine takes no text of " + std::to_string(length) + " tokens");
  }
  return found;
}

size_t element_count(const OutputSpec& spec, size_t length) {
  size_t total = 1;
  for (const size_t size : spec.shape) {
    total *= size == OutputSpec::kTokens ? length : size;
  }
  return total;
}

float half_to_float(uint16_t half) {
  constexpr int kMantissaBits = 10;
  constexpr int kBias = 15;
  constexpr int kSpecial = 31;
  const int exponent = (half >> kMantissaBits) & kSpecial;
  const int mantissa = half & ((1 << kMantissaBits) - 1);
  float size = 0;
  if (exponent == kSpecial) {
    size = mantissa == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    size = std::ldexp(static_cast<float>(mantissa), 1 - kBias - kMantissaBits);
  } else {
    size = std::ldexp(static_cast<float>(mantissa + (1 << kMantissaBits)), exponent - kBias - kMantissaBits);
  }
  return (half & 0x8000) != 0 ? -size : size;
}

}  // namespace edge_ptf::core
