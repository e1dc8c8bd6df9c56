#include "terminal.h"

#include <cstdint>
#include <cstdio>

namespace {

constexpr uint32_t kInvalid = 0xFFFFFFFF;

// The code point at the beginning of `text`, which is not empty, and its length in bytes.
uint32_t first_point(std::string_view text, size_t& length) {
  const auto byte = [&text](size_t place) { return static_cast<unsigned char>(text[place]); };
  const unsigned char lead = byte(0);
  length = 1;
  if (lead < 0x80) {
    return lead;
  }
  const size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < wanted) {
    return kInvalid;
  }
  uint32_t point = lead & (0xFFU >> (wanted + 1));
  for (size_t i = 1; i < wanted; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) {
      return kInvalid;
    }
    point = (point << 6U) | (byte(i) & 0x3FU);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (point < kLeast[wanted] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
    return kInvalid;
  }
  length = wanted;
  return point;
}

// The same characters as in edge-ptf (escaping.py).
bool is_unsafe(uint32_t point) {
  return point < 0x20 || (point >= 0x7F && point <= 0x9F) || point == 0x061C || point == 0x200E || point == 0x200F ||
         (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

std::string escaped(char kind, int digits, uint32_t point) {
  char text[16];
  (void)std::snprintf(text, sizeof text, "\\%c%0*x", kind, digits, static_cast<unsigned>(point));
  return text;
}

// `text` with `escape` of every unsafe character that is not in `kept`.
template <typename Escape>
std::string replaced(std::string_view text, std::string_view kept, Escape escape) {
  std::string found;
  found.reserve(text.size());
  while (!text.empty()) {
    size_t length = 0;
    const uint32_t point = first_point(text, length);
    if (point == kInvalid) {
      found += "\xEF\xBF\xBD";
    } else if (is_unsafe(point) && (point > 0x7F || kept.find(static_cast<char>(point)) == std::string_view::npos)) {
      found += escape(point);
    } else {
      found += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return found;
}

}  // namespace

std::string shown(std::string_view text) {
  return replaced(text, "",
                  [](uint32_t point) { return point < 0x100 ? escaped('x', 2, point) : escaped('u', 4, point); });
}

std::string json_text(const nlohmann::json& value, int indent) {
  const std::string text = value.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
  return replaced(text, "\n", [](uint32_t point) { return escaped('u', 4, point); });
}
