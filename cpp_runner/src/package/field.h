// A value of a JSON document together with its place, for messages such as "manifest.json: heads.0.name is missing".
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "error.h"

namespace edge_ptf::core {

class Field {
 public:
  // The value must outlive the field.
  Field(const nlohmann::json& value, std::string document, std::string place)
      : value_(value), document_(std::move(document)), place_(std::move(place)) {}

  Field operator[](const char* name) const {
    const nlohmann::json* found = find(name);
    if (found == nullptr) {
      refuse(document_ + ": " + below(name) + " is missing");
    }
    return {*found, document_, below(name)};
  }

  // Absent and null mean the same.
  std::optional<Field> maybe(const char* name) const {
    const nlohmann::json* found = find(name);
    if (found == nullptr || found->is_null()) {
      return std::nullopt;
    }
    return Field(*found, document_, below(name));
  }

  std::vector<Field> items(size_t most) const {
    if (!value_.is_array() || value_.size() > most) {
      wrong("a list of at most " + std::to_string(most));
    }
    std::vector<Field> found;
    for (const nlohmann::json& item : value_) {
      found.emplace_back(item, document_, below(std::to_string(found.size()).c_str()));
    }
    return found;
  }

  // The fields of an object with their names, in the order of the names.
  std::vector<std::pair<std::string, Field>> members(size_t most) const {
    if (!value_.is_object() || value_.size() > most) {
      wrong("an object with at most " + std::to_string(most) + " fields");
    }
    std::vector<std::pair<std::string, Field>> found;
    for (const auto& [name, value] : value_.items()) {
      found.emplace_back(name, Field(value, document_, below(name.c_str())));
    }
    return found;
  }

  std::string text_or(const char* name, const char* otherwise) const {
    const auto found = maybe(name);
    return found ? found->text() : otherwise;
  }

  bool flag_or(const char* name, bool otherwise) const {
    const auto found = maybe(name);
    return found ? found->flag() : otherwise;
  }

  std::string text() const {
    if (!value_.is_string()) {
      wrong("a text");
    }
    return value_.get<std::string>();
  }

  bool flag() const {
    if (!value_.is_boolean()) {
      wrong("true or false");
    }
    return value_.get<bool>();
  }

  uint64_t whole(uint64_t least, uint64_t most) const {
    if (!value_.is_number_unsigned() || value_.get<uint64_t>() < least || value_.get<uint64_t>() > most) {
      wrong("a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return value_.get<uint64_t>();
  }

  double number() const {
    if (!value_.is_number() || !std::isfinite(value_.get<double>())) {
      wrong("a number");
    }
    return value_.get<double>();
  }

  const nlohmann::json& value() const { return value_; }

  [[noreturn]] void wrong(const std::string& wanted) const { refuse(document_ + ": " + place_ + " is not " + wanted); }

 private:
  const nlohmann::json* find(const char* name) const {
    if (!value_.is_object()) {
      wrong("an object");
    }
    const auto found = value_.find(name);
    return found == value_.end() ? nullptr : &*found;
  }
  std::string below(const char* name) const { return place_.empty() ? name : place_ + "." + name; }

  const nlohmann::json& value_;
  std::string document_;
  std::string place_;
};

}  // namespace edge_ptf::core
