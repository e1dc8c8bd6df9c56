// UTF-8. Invalid bytes are allowed everywhere.
#pragma once

#include <cstdint>

namespace edge_ptf::core {

constexpr uint32_t kReplacement = 0xFFFD;

struct Decoded {
  uint32_t point;
  uint32_t size;  // bytes read, at least 1
};

// Returns the code point at `at`, or U+FFFD for a maximal invalid part (Unicode Standard, section 3.9, "substitution of
// maximal subparts"). The result is the same as that of Python's bytes.decode(errors="replace"). Requires at < end.
inline Decoded decode_utf8(const unsigned char* at, const unsigned char* end) {
  const uint32_t lead = at[0];
  if (lead < 0x80) {
    return {lead, 1};
  }
  if (lead < 0xC2 || lead > 0xF4) {
    return {kReplacement, 1};
  }
  const uint32_t more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  // The range of the second byte excludes overlong forms, surrogates, and code points above U+10FFFF.
  const uint32_t least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint32_t most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  uint32_t point = lead & (0x3F >> more);
  for (uint32_t i = 1; i <= more; ++i) {
    if (at + i == end) {
      return {kReplacement, i};
    }
    const uint32_t byte = at[i];
    if (i == 1 ? byte < least || byte > most : (byte & 0xC0) != 0x80) {
      return {kReplacement, i};
    }
    point = point << 6 | (byte & 0x3F);
  }
  return {point, more + 1};
}

// Writes the bytes of a code point and returns their number, at most 4.
inline uint32_t encode_utf8(uint32_t point, char* out) {
  if (point < 0x80) {
    out[0] = static_cast<char>(point);
    return 1;
  }
  if (point < 0x800) {
    out[0] = static_cast<char>(0xC0 | point >> 6);
    out[1] = static_cast<char>(0x80 | (point & 0x3F));
    return 2;
  }
  if (point < 0x10000) {
    out[0] = static_cast<char>(0xE0 | point >> 12);
    out[1] = static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out[2] = static_cast<char>(0x80 | (point & 0x3F));
    return 3;
  }
  out[0] = static_cast<char>(0xF0 | point >> 18);
  out[1] = static_cast<char>(0x80 | (point >> 12 & 0x3F));
  out[2] = static_cast<char>(0x80 | (point >> 6 & 0x3F));
  out[3] = static_cast<char>(0x80 | (point & 0x3F));
  return 4;
}

// Whether Python's str.split() and \S treat a code point as white space: White_Space of Unicode and U+001C to U+001F.
inline bool is_white_space(uint32_t point) {
  return (point >= 0x09 && point <= 0x0D) || (point >= 0x1C && point <= 0x20) || point == 0x85 || point == 0xA0 ||
         point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 || point == 0x2029 ||
         point == 0x202F || point == 0x205F || point == 0x3000;
}

}  // namespace edge_ptf::core
