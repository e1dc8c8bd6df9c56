#include "fixtures.h"
#include "sha256.h"

TEST_CASE("sha256 gives the published digests") {
  const auto digest = [](const std::string& text) { return edge_ptf::core::sha256({text.data(), text.size()}); };
  // FIPS 180-4, examples.
  CHECK(digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(digest(std::string(1000000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("sha256 agrees with Python at every length around a block") {
  for (const auto& wanted : read_cases("sha256.jsonl")) {
    const std::string text(wanted["length"].get<size_t>(), 'x');
    CHECK(edge_ptf::core::sha256({text.data(), text.size()}) == wanted["sha256"].get<std::string>());
  }
}
