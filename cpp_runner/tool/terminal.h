// What is printed: no name and no text can steer a terminal.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

// The text on one line. A control character, a mark that turns the direction of text and a line separator become \x1b
// or \u202e; each byte that is not UTF-8 becomes U+FFFD.
std::string shown(std::string_view text);

// JSON that reads back the same, such characters as \u001b. What is not UTF-8 becomes U+FFFD. Without an indent it is
// one line.
std::string json_text(const nlohmann::json& value, int indent = -1);
