#include "arguments.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace {

// A number without zeros that say nothing: 1, 0.01.
std::string shortest(double value) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

}  // namespace

Arguments::Arguments(const std::vector<std::string>& words, const std::set<std::string>& flags,
                     const std::set<std::string>& options) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") {
      plain_.insert(plain_.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    }
    if (word.compare(0, 2, "--") != 0) {
      plain_.push_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (flags.count(name) != 0 && equals == std::string::npos) {
      given_[name] = "";
    } else if (options.count(name) != 0) {
      if (equals == std::string::npos && i + 1 == words.size()) {
        throw UsageError("--" + name + " needs a value");
      }
      given_[name] = equals == std::string::npos ? words[++i] : word.substr(equals + 1);
      options_.emplace_back(name, given_[name]);
    } else {
      throw UsageError("no such option: " + word.substr(0, equals) + " (see --help)");
    }
  }
}

std::string Arguments::text(const std::string& name, const std::string& otherwise) const {
  const auto found = given_.find(name);
  return found == given_.end() ? otherwise : found->second;
}

std::vector<std::string> Arguments::all(const std::string& name) const {
  std::vector<std::string> found;
  for (const auto& [option, value] : options_) {
    if (option == name) {
      found.push_back(value);
    }
  }
  return found;
}

double Arguments::number(const std::string& name, double otherwise, double least, double most) const {
  const auto found = given_.find(name);
  if (found == given_.end()) {
    return otherwise;
  }
  char* end = nullptr;
  const double value = std::strtod(found->second.c_str(), &end);
  if (found->second.empty() || *end != '\0' || !std::isfinite(value) || value < least || value > most) {
    throw UsageError("--" + name + " " + found->second + ": not a number from " + shortest(least) + " to " +
                     shortest(most));
  }
  return value;
}

long Arguments::whole(const std::string& name, long otherwise, long least, long most) const {
  const double value =
      number(name, static_cast<double>(otherwise), static_cast<double>(least), static_cast<double>(most));
  if (value != std::floor(value)) {
    throw UsageError("--" + name + " " + text(name, "") + ": not a whole number");
  }
  return static_cast<long>(value);
}

std::string Arguments::choice(const std::string& name, const std::vector<std::string>& allowed) const {
  std::string value = text(name, allowed.front());
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
    std::string listed;
    for (const std::string& each : allowed) {
      listed += (listed.empty() ? "" : ", ") + each;
    }
    throw UsageError("--" + name + " " + value + ": allowed are " + listed);
  }
  return value;
}
