#include <doctest/doctest.h>

#include <string>

#include "terminal.h"

using nlohmann::json;

TEST_CASE("characters that could steer a terminal are shown as text") {
  CHECK(shown("plain") == "plain");
  CHECK(shown("") == "");
  CHECK(shown("\x1b]0;owned\x07\n\t\r\x7f") == "\\x1b]0;owned\\x07\\x0a\\x09\\x0d\\x7f");
  CHECK(shown(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(shown("\xC2\x9b"
              "31m") == "\\x9b31m");
  // In parts, so that no literal changes the direction of this file.
  const std::string turning = std::string("\xE2\x80") + "\xAEgpj\xE2\x81" + "\xA6\xE2\x80" + "\xA8\xD8" + "\x9C";
  CHECK(shown(turning) == "\\u202egpj\\u2066\\u2028\\u061c");
}

TEST_CASE("letters of any script stay as they are") {
  for (const char* text :
       {"caf\xC3\xA9", "\xF0\x9F\x98\x80", "\xE4\xB8\xAD", "\xE2\x80\x8D", "\xC2\xA0", "\xF4\x8F\xBF\xBF"}) {
    CHECK(shown(text) == text);
  }
}

TEST_CASE("bytes that are not UTF-8 are shown as U+FFFD") {
  const std::string wrong = "\xEF\xBF\xBD";
  CHECK(shown("\x9b") == wrong);
  CHECK(shown("a\xff") == "a" + wrong);
  CHECK(shown("\xC3") == wrong);
  CHECK(shown("\xC0\x9b") == wrong + wrong);              // an overlong form
  CHECK(shown("\xED\xA0\x80") == wrong + wrong + wrong);  // half of a surrogate pair
  CHECK(shown("\xF4\x90\x80\x80") == wrong + wrong + wrong + wrong);
  CHECK(shown("\xE2\x80") == wrong + wrong);
}

TEST_CASE("JSON reads back the same and holds no raw control character") {
  const json value = {{"a\x1b", "\x1b\x7f\xC2\x9b\xE2\x80\xAE\n\t\"\\ caf\xC3\xA9"}, {"b", {1, nullptr, true}}};
  for (const int indent : {-1, 2}) {
    const std::string text = json_text(value, indent);
    CHECK(json::parse(text) == value);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find('\x7f') == std::string::npos);
    CHECK(text.find("\xC2\x9b") == std::string::npos);
    CHECK(text.find(std::string("\xE2\x80") + "\xAE") == std::string::npos);
    CHECK(text.find("caf\xC3\xA9") != std::string::npos);
  }
  CHECK(json_text(value).find('\n') == std::string::npos);
  CHECK(json_text(json("a\xff")) == "\"a\xEF\xBF\xBD\"");
}
