// The command line: a command, options that begin with --, and plain words.
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// Wrong usage: one line for the user, exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The environment does not permit the work: exit code 5.
struct EnvironmentError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Arguments {
 public:
  // `flags` take no value, `options` take one, as --name VALUE or --name=VALUE. All words after "--" are plain.
  Arguments(const std::vector<std::string>& words, const std::set<std::string>& flags,
            const std::set<std::string>& options);

  bool has(const std::string& name) const { return given_.count(name) != 0; }
  std::string text(const std::string& name, const std::string& otherwise) const;
  // All values of an option that is given several times, in their order.
  std::vector<std::string> all(const std::string& name) const;
  double number(const std::string& name, double otherwise, double least, double most) const;
  long whole(const std::string& name, long otherwise, long least, long most) const;
  // One of `allowed`.
  std::string choice(const std::string& name,
                     const std::vector<std::string>& allowed) const;  // default: the first one
  const std::vector<std::string>& plain() const { return plain_; }

 private:
  std::map<std::string, std::string> given_;  // the last value of each
  std::vector<std::pair<std::string, std::string>> options_;
  std::vector<std::string> plain_;
};
