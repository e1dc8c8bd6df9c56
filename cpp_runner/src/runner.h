// An open package with everything that answering takes.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine.h"
#include "package.h"
#include "task.h"
#include "tokenizer.h"

namespace edge_ptf {

struct RunnerOptions {
  int threads = 0;    // 0: the package's
  int spinning = -1;  // -1: the package's
  int arena = -1;
  std::optional<std::string> affinity;
  bool check_digests = false;
};

// The memory of one answer.
struct Result {
  Encoding encoding;
  Answer answer;
  Logits logits;
  std::unique_ptr<Engine::Call> call;
  edge_ptf_timing timing{};
};

struct GoldenReport {
  size_t count = 0;
  double largest_difference = 0;
  double tolerance = 0;  // of the text with the largest difference
  bool exact = true;
};

class Runner {
 public:
  Runner(std::unique_ptr<Package> package, const RunnerOptions& options);

  const Package& package() const { return *package_; }
  const Manifest& manifest() const { return package_->manifest(); }
  const Task& task() const { return task_; }
  const std::string& digest() const { return digest_; }
  bool has_tokenizer() const { return tokenizer_ != nullptr; }
  int threads() const { return threads_; }

  void prepare(Result& result) const { result.call = engine_->call(); }
  void tokenize(std::string_view text, const std::string_view* pair, Result& result) const;
  void predict(std::string_view text, const std::string_view* pair, Result& result) const;
  void predict_ids(const int64_t* ids, const int64_t* types, size_t count, Result& result) const;
  // Answers the golden vectors; fails where an id or a logit is not what it must be.
  GoldenReport selftest() const;

 private:
  std::unique_ptr<Package> package_;
  std::string digest_;
  Task task_;
  std::optional<Content> tables_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Engine> engine_;
  int threads_ = 1;
};

// Whether this processor's integer products come out exact for a scheme (docs/package.md section 6).
bool executes_exactly(const Scheme& scheme);

}  // namespace edge_ptf
