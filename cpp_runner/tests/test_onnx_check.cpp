// Graphs that are damaged. tests/engines/hostile_graphs.py has those that were made to mislead.
#include <random>

#include "engines/onnx_check.h"
#include "fixtures.h"
#include "package/package.h"

namespace {

using edge_ptf::core::Error;

bool is_allowed(const std::string& model) {
  try {
    edge_ptf::core::check_onnx({model.data(), model.size()});
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

TEST_CASE("graphs of packages are allowed, and truncated ones are not") {
  for (const char* name : {"intents.eptf", "entities.eptf", "ids-only.eptf", "two-heads.eptf"}) {
    const edge_ptf::core::Package package(fixture(name));
    const std::string model(package.read("model.onnx", /*check=*/true).bytes().text());
    CHECK(is_allowed(model));
    CHECK_FALSE(is_allowed(model + model));
    for (size_t size = 0; size < 4000; size += 7) {
      CHECK_FALSE(is_allowed(model.substr(0, size)));
    }
  }
}

TEST_CASE("a graph with changed bytes is allowed or refused") {
  const edge_ptf::core::Package package(fixture("intents.eptf"));
  const std::string model(package.read("model.onnx", /*check=*/true).bytes().text());
  std::mt19937 random(11);
  size_t refused = 0;
  for (int turn = 0; turn < 2000; ++turn) {
    std::string copy = model;
    for (int i = 0; i < 1 + turn % 4; ++i) {
      char& byte = copy[random() % copy.size()];
      byte = static_cast<char>(static_cast<unsigned char>(byte) ^ 1U << random() % 8);
    }
    refused += is_allowed(copy) ? 0 : 1;
  }
  CHECK(refused > 0);
}
