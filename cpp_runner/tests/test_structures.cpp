// Structures of other versions of the C API.
#include <algorithm>
#include <cstring>

#include "edge_ptf.hpp"
#include "fixtures.h"

namespace {

// A structure of another version of the header: shorter, or with more fields at the end.
template <typename Struct>
struct Other {
  alignas(Struct) unsigned char bytes[sizeof(Struct) + 16];

  explicit Other(size_t size) {
    std::memset(bytes, 0xAB, sizeof bytes);
    std::memcpy(bytes, &size, sizeof size);
  }
  Struct* get() { return reinterpret_cast<Struct*>(bytes); }
  size_t size() const {
    size_t found = 0;
    std::memcpy(&found, bytes, sizeof found);
    return found;
  }
  // Whether all bytes of [begin, end) have this value.
  bool all(size_t begin, size_t end, unsigned char value) const {
    return std::all_of(bytes + begin, bytes + end, [=](unsigned char each) { return each == value; });
  }
};

// `call` must fill the known fields, set unknown fields to 0, and change no bytes after the structure.
template <typename Struct, typename Call>
void check_sizes(Call call) {
  Struct ours{};
  ours.struct_size = sizeof ours;
  REQUIRE(call(&ours) == EDGE_PTF_OK);
  for (const size_t size : {2 * sizeof(size_t), sizeof(Struct), sizeof(Struct) + 8}) {
    Other<Struct> other(size);
    REQUIRE(call(other.get()) == EDGE_PTF_OK);
    CHECK(other.size() == size);
    const size_t common = std::min(size, sizeof(Struct));
    const auto* expected = reinterpret_cast<const unsigned char*>(&ours);
    CHECK(std::equal(other.bytes + sizeof(size_t), other.bytes + common, expected + sizeof(size_t)));
    CHECK(other.all(common, size, 0));
    CHECK(other.all(size, sizeof other.bytes, 0xAB));
  }
  Other<Struct> none(0);
  CHECK(call(none.get()) == EDGE_PTF_BAD_INPUT);
  CHECK(none.all(sizeof(size_t), sizeof none.bytes, 0xAB));
  CHECK(call(static_cast<Struct*>(nullptr)) == EDGE_PTF_BAD_INPUT);
}

}  // namespace

TEST_CASE("structures of older and newer headers work") {
  const std::string path = fixture("entities.eptf");
  const edge_ptf::Runner runner(path);
  edge_ptf::Answer answer(runner);
  answer.ask("turn on the lights");
  check_sizes<edge_ptf_head>([&](edge_ptf_head* out) { return edge_ptf_runner_head(runner.get(), 0, out); });
  check_sizes<edge_ptf_item>(
      [&](edge_ptf_item* out) { return edge_ptf_result_item(answer.get(), 0, EDGE_PTF_WORDS, 1, out); });
  check_sizes<edge_ptf_tensor>(
      [&](edge_ptf_tensor* out) { return edge_ptf_result_tensor(answer.get(), 0, "logits", out); });
  check_sizes<edge_ptf_timing>([&](edge_ptf_timing* out) { return edge_ptf_result_timing(answer.get(), out); });

  for (const size_t size : {2 * sizeof(size_t), sizeof(edge_ptf_report) + 8}) {
    Other<edge_ptf_report> report(size);
    CHECK(edge_ptf_selftest(runner.get(), report.get()) == EDGE_PTF_OK);
    CHECK(report.all(size, sizeof report.bytes, 0xAB));
    CHECK(edge_ptf_verify(path.c_str(), nullptr, report.get()) == EDGE_PTF_OK);
    CHECK(report.get()->files > 0);
  }

  // Options: a field that an old program lacks has the setting of the package. An unknown new field is ignored.
  for (const size_t size : {sizeof(size_t) + sizeof(int32_t), sizeof(edge_ptf_options) + 16}) {
    Other<edge_ptf_options> options(size);
    edge_ptf_options given{};
    given.struct_size = size;
    given.threads = 2;
    std::memcpy(options.bytes, &given, std::min(size, sizeof given));
    edge_ptf_runner* opened = nullptr;
    REQUIRE(edge_ptf_open(path.c_str(), options.get(), &opened) == EDGE_PTF_OK);
    CHECK(edge_ptf_runner_threads(opened) == 2);
    edge_ptf_close(opened);
  }
}
