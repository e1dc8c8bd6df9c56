// edge_ptf.hpp: the C API for C++17, with owners and exceptions.
//
//     edge_ptf::Runner runner("intents.eptf");
//     edge_ptf::Answer answer(runner);
//     std::cout << answer.ask("turn on the lights").label() << '\n';
//
// A Runner may be shared by threads; each thread has an Answer of its own, which must not outlive the Runner.
#ifndef EDGE_PTF_HPP
#define EDGE_PTF_HPP

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge_ptf.h"

namespace edge_ptf {

// A status other than EDGE_PTF_OK.
class Failure : public std::runtime_error {
 public:
  Failure(edge_ptf_status status, const char* message) : std::runtime_error(message), status_(status) {}
  edge_ptf_status status() const noexcept { return status_; }

 private:
  edge_ptf_status status_;
};

inline void check(edge_ptf_status status) {
  if (status != EDGE_PTF_OK) {
    throw Failure(status, edge_ptf_last_error());
  }
}

// Options with their initial values: the package's own settings hold.
struct Options : edge_ptf_options {
  Options() : edge_ptf_options() { edge_ptf_options_init(this); }
};

class Runner {
 public:
  explicit Runner(const std::string& path, const Options& options = {}) {
    edge_ptf_runner* made = nullptr;
    check(edge_ptf_open(path.c_str(), &options, &made));
    handle_.reset(made);
  }

  // A package file's content, which must stay as it is while the runner lives.
  Runner(const void* content, size_t size, const Options& options = {}) {
    edge_ptf_runner* made = nullptr;
    check(edge_ptf_open_memory(content, size, &options, &made));
    handle_.reset(made);
  }

  edge_ptf_kind kind() const { return edge_ptf_runner_kind(get()); }
  std::string_view name() const { return edge_ptf_runner_name(get()); }
  std::string_view payload() const { return edge_ptf_runner_payload(get()); }
  std::string_view manifest() const { return edge_ptf_runner_manifest(get()); }
  size_t max_length() const { return edge_ptf_runner_max_length(get()); }
  int threads() const { return edge_ptf_runner_threads(get()); }
  bool takes_pairs() const { return edge_ptf_runner_takes_pairs(get()) != 0; }
  bool has_tokenizer() const { return edge_ptf_runner_has_tokenizer(get()) != 0; }

  std::vector<std::string_view> labels() const {
    std::vector<std::string_view> found;
    for (size_t i = 0; i < edge_ptf_runner_label_count(get()); ++i) {
      found.emplace_back(edge_ptf_runner_label(get(), i));
    }
    return found;
  }

  edge_ptf_report selftest() const {
    edge_ptf_report report{};
    report.struct_size = sizeof report;
    check(edge_ptf_selftest(get(), &report));
    return report;
  }

  const edge_ptf_runner* get() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(edge_ptf_runner* runner) const { edge_ptf_close(runner); }
  };
  std::unique_ptr<edge_ptf_runner, Close> handle_;
};

// Asks a runner, and holds what it answered last.
class Answer {
 public:
  explicit Answer(const Runner& runner) : runner_(runner.get()) {
    edge_ptf_result* made = nullptr;
    check(edge_ptf_result_create(runner_, &made));
    handle_.reset(made);
  }

  Answer& ask(std::string_view text) {
    check(edge_ptf_predict(runner_, at(text), text.size(), nullptr, 0, get()));
    return *this;
  }

  Answer& ask(std::string_view text, std::string_view pair) {
    check(edge_ptf_predict(runner_, at(text), text.size(), at(pair), pair.size(), get()));
    return *this;
  }

  Answer& ask(const std::vector<int64_t>& ids) {
    check(edge_ptf_predict_ids(runner_, ids.data(), nullptr, ids.size(), get()));
    return *this;
  }

  Answer& tokenize(std::string_view text) {
    check(edge_ptf_tokenize(runner_, at(text), text.size(), nullptr, 0, get()));
    return *this;
  }

  // Empty for a token classification.
  std::string_view label() const {
    const char* found = edge_ptf_result_label(get());
    return found == nullptr ? std::string_view() : found;
  }
  double score() const { return edge_ptf_result_score(get()); }
  bool out_of_scope() const { return edge_ptf_result_out_of_scope(get()) != 0; }

  // The best classes with their probabilities, at most `most`.
  std::vector<std::pair<std::string_view, double>> classes(size_t most) const {
    std::vector<std::pair<std::string_view, double>> found;
    double score = 0;
    for (size_t i = 0; i < most; ++i) {
      const char* label = edge_ptf_result_class(get(), i, &score);
      if (label == nullptr) {
        break;
      }
      found.emplace_back(label, score);
    }
    return found;
  }

  std::vector<edge_ptf_word> words() const {
    std::vector<edge_ptf_word> found(edge_ptf_result_word_count(get()));
    for (size_t i = 0; i < found.size(); ++i) {
      check(edge_ptf_result_word(get(), i, &found[i]));
    }
    return found;
  }

  std::vector<edge_ptf_entity> entities() const {
    std::vector<edge_ptf_entity> found(edge_ptf_result_entity_count(get()));
    for (size_t i = 0; i < found.size(); ++i) {
      check(edge_ptf_result_entity(get(), i, &found[i]));
    }
    return found;
  }

  std::vector<int64_t> ids() const {
    size_t count = 0;
    const int64_t* first = edge_ptf_result_ids(get(), &count);
    return {first, first + count};
  }

  edge_ptf_timing timing() const { return edge_ptf_result_timing(get()); }

  edge_ptf_result* get() const { return handle_.get(); }

 private:
  // A view of nothing may point nowhere; the C API takes NULL for a missing text.
  static const char* at(std::string_view text) { return text.data() == nullptr ? "" : text.data(); }

  struct Destroy {
    void operator()(edge_ptf_result* result) const { edge_ptf_result_destroy(result); }
  };
  const edge_ptf_runner* runner_;
  std::unique_ptr<edge_ptf_result, Destroy> handle_;
};

}  // namespace edge_ptf

#endif
