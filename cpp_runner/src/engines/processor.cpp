#include "engines/processor.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace edge_ptf::core {

#if defined(__x86_64__)

namespace {

bool has_vnni() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) {
    return false;
  }
  constexpr unsigned kAvx512Vnni = 1U << 11;
  constexpr unsigned kAmxInt8 = 1U << 25;
  constexpr unsigned kAvxVnni = 1U << 4;
  if ((ecx & kAvx512Vnni) != 0 || (edx & kAmxInt8) != 0) {
    return true;
  }
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kAvxVnni) != 0;
}

}  // namespace

bool computes_exactly(const Scheme& scheme) {
  const bool eight_bits = scheme.activation == "uint8" || scheme.activation == "int8";
  return scheme.precision == "fp32" || scheme.reduce_range || scheme.weight != "int8" || !eight_bits || has_vnni();
}

#else

bool computes_exactly(const Scheme&) {
  return true;
}

#endif

}  // namespace edge_ptf::core
