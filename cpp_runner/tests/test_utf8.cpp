#include "fixtures.h"
#include "utf8.h"

TEST_CASE("bytes are read as Python reads them with errors='replace'") {
  for (const auto& wanted : read_cases("utf8.jsonl")) {
    const std::string bytes = from_hex(wanted["bytes"]);
    const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
    const auto* end = at + bytes.size();
    std::vector<uint32_t> points;
    while (at < end) {
      const edge_ptf::core::Decoded decoded = edge_ptf::core::decode_utf8(at, end);
      points.push_back(decoded.point);
      at += decoded.size;
    }
    CAPTURE(wanted["bytes"].get<std::string>());
    CHECK(points == wanted["points"].get<std::vector<uint32_t>>());
  }
}

TEST_CASE("every code point is written as it is read") {
  for (uint32_t point = 0; point < 0x110000; ++point) {
    if (point >= 0xD800 && point < 0xE000) {
      continue;
    }
    char bytes[4];
    const uint32_t size = edge_ptf::core::encode_utf8(point, bytes);
    const auto* at = reinterpret_cast<const unsigned char*>(bytes);
    const edge_ptf::core::Decoded decoded = edge_ptf::core::decode_utf8(at, at + size);
    if (decoded.point != point || decoded.size != size) {
      FAIL("U+" << point);
    }
  }
}

TEST_CASE("white space is what Python's str.isspace and \\S have it") {
  const auto wanted = read_cases("whitespace.jsonl")[0].get<std::vector<uint32_t>>();
  std::vector<uint32_t> found;
  for (uint32_t point = 0; point < 0x110000; ++point) {
    if (edge_ptf::core::is_white_space(point)) {
      found.push_back(point);
    }
  }
  CHECK(found == wanted);
}
