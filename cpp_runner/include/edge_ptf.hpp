// edge_ptf.hpp: the C API for C++17, with owners and exceptions.
//
//     edge_ptf::Runner runner("intents.eptf");
//     edge_ptf::Answer answer(runner);
//     std::cout << answer.ask("turn on the lights").label() << '\n';
//
// Threads may share a Runner. Each thread needs its own Answer, which keeps the package open.
#ifndef EDGE_PTF_HPP
#define EDGE_PTF_HPP

#include <memory>
#include <optional>
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

// A structure of the C API with its struct_size.
template <typename Struct>
Struct sized() {
  Struct made{};
  made.struct_size = sizeof made;
  return made;
}

// How a package is run. An empty field means: use the setting of the package.
struct Options {
  std::optional<int> threads;
  std::optional<bool> spinning, arena;
  std::optional<std::string> affinity;
  bool check_digests = false;
  int deadline_ms = 0;  // of one answer; 0: none
  std::optional<std::string> provider, provider_library, cache_folder, engine_folder;
  bool cuda_graphs = true;

  // The result refers to this object.
  edge_ptf_options c_options() const {
    const auto choice = [](std::optional<bool> value) {
      return !value ? EDGE_PTF_PACKAGE : *value ? EDGE_PTF_ON : EDGE_PTF_OFF;
    };
    const auto pointer = [](const std::optional<std::string>& text) { return text ? text->c_str() : nullptr; };
    auto made = sized<edge_ptf_options>();
    made.threads = threads.value_or(0);
    made.spinning = choice(spinning);
    made.arena = choice(arena);
    made.check_digests = check_digests ? 1 : 0;
    made.deadline_ms = deadline_ms;
    made.affinity = pointer(affinity);
    made.provider = pointer(provider);
    made.provider_library = pointer(provider_library);
    made.cache_folder = pointer(cache_folder);
    made.engine_folder = pointer(engine_folder);
    made.cuda_graphs = cuda_graphs ? EDGE_PTF_PACKAGE : EDGE_PTF_OFF;
    return made;
  }
};

// An open package. Copies share it; it closes with the last copy and the last Answer.
class Runner {
 public:
  explicit Runner(const std::string& path, const Options& options = {}) {
    edge_ptf_runner* made = nullptr;
    const edge_ptf_options given = options.c_options();
    check(edge_ptf_open(path.c_str(), &given, &made));
    handle_.reset(made, edge_ptf_close);
  }

  // The content of a package file. It must not change while the package is open.
  Runner(const void* content, size_t size, const Options& options = {}) {
    edge_ptf_runner* made = nullptr;
    const edge_ptf_options given = options.c_options();
    check(edge_ptf_open_memory(content, size, &given, &made));
    handle_.reset(made, edge_ptf_close);
  }

  std::string_view name() const { return edge_ptf_runner_name(get()); }
  std::string_view payload() const { return edge_ptf_runner_payload(get()); }
  std::string_view manifest() const { return edge_ptf_runner_manifest(get()); }
  size_t max_length() const { return edge_ptf_runner_max_length(get()); }
  int threads() const { return edge_ptf_runner_threads(get()); }
  bool takes_pairs() const { return edge_ptf_runner_takes_pairs(get()) != 0; }
  bool has_tokenizer() const { return edge_ptf_runner_has_tokenizer(get()) != 0; }

  size_t head_count() const { return edge_ptf_runner_head_count(get()); }
  edge_ptf_head head(size_t index = 0) const {
    auto found = sized<edge_ptf_head>();
    check(edge_ptf_runner_head(get(), index, &found));
    return found;
  }

  std::vector<std::string_view> labels(size_t head_index = 0) const {
    std::vector<std::string_view> found(head(head_index).label_count);
    for (size_t i = 0; i < found.size(); ++i) {
      found[i] = edge_ptf_runner_label(get(), head_index, i);
    }
    return found;
  }

  // Adds a class to a package of class centres: from its texts, without training.
  void add_class(const std::string& name, const std::vector<std::string>& texts) const {
    std::vector<const char*> given;
    given.reserve(texts.size());
    for (const std::string& text : texts) {
      given.push_back(text.c_str());
    }
    check(edge_ptf_add_class(handle_.get(), name.c_str(), given.data(), given.size()));
  }

  edge_ptf_report selftest() const {
    auto report = sized<edge_ptf_report>();
    check(edge_ptf_selftest(get(), &report));
    return report;
  }

  const edge_ptf_runner* get() const { return handle_.get(); }

 private:
  std::shared_ptr<edge_ptf_runner> handle_;
};

// Calls a package and stores the last answer.
class Answer {
 public:
  explicit Answer(Runner runner) : runner_(std::move(runner)) {
    edge_ptf_result* made = nullptr;
    check(edge_ptf_result_create(runner_.get(), &made));
    handle_.reset(made);
  }

  const Runner& runner() const { return runner_; }

  Answer& ask(std::string_view text) {
    check(edge_ptf_predict(get(), start(text), text.size(), nullptr, 0));
    return *this;
  }

  Answer& ask(std::string_view text, std::string_view pair) {
    check(edge_ptf_predict(get(), start(text), text.size(), start(pair), pair.size()));
    return *this;
  }

  // The relation between two entities of a text, given by their bytes.
  Answer& ask(std::string_view text, edge_ptf_span first, edge_ptf_span second) {
    check(edge_ptf_predict_entities(get(), start(text), text.size(), first, second));
    return *this;
  }

  Answer& ask(const std::vector<int64_t>& ids) {
    check(edge_ptf_predict_ids(get(), ids.data(), nullptr, ids.size()));
    return *this;
  }

  Answer& tokenize(std::string_view text) {
    check(edge_ptf_tokenize(get(), start(text), text.size(), nullptr, 0));
    return *this;
  }

  Answer& tokenize(std::string_view text, std::string_view pair) {
    check(edge_ptf_tokenize(get(), start(text), text.size(), start(pair), pair.size()));
    return *this;
  }

  // Stops the answer that another thread makes with this object; it throws a Failure with EDGE_PTF_INTERRUPTED.
  void cancel() const { check(edge_ptf_cancel(get())); }

  // The label of the first answer of a head; empty if there is none.
  std::string_view label(size_t head = 0) const {
    const char* found = edge_ptf_result_label(get(), head);
    return found == nullptr ? std::string_view() : found;
  }
  double score(size_t head = 0) const { return edge_ptf_result_score(get(), head); }

  // The items of a list of a head, at most `most`.
  std::vector<edge_ptf_item> items(edge_ptf_list list, size_t head = 0, size_t most = static_cast<size_t>(-1)) const {
    const size_t count = edge_ptf_result_count(get(), head, list);
    std::vector<edge_ptf_item> found(count < most ? count : most, sized<edge_ptf_item>());
    for (size_t i = 0; i < found.size(); ++i) {
      check(edge_ptf_result_item(get(), head, list, i, &found[i]));
    }
    return found;
  }
  std::vector<edge_ptf_item> answers(size_t head = 0) const { return items(EDGE_PTF_ANSWERS, head); }
  std::vector<edge_ptf_item> words(size_t head = 0) const { return items(EDGE_PTF_WORDS, head); }
  std::vector<edge_ptf_item> relations(size_t head = 0) const { return items(EDGE_PTF_RELATIONS, head); }

  // Whether the text belongs to no class, and whether the threshold of the package decided that.
  bool out_of_scope(size_t head = 0) const { return has_flag(EDGE_PTF_OUT_OF_SCOPE, head); }
  bool by_threshold(size_t head = 0) const { return has_flag(EDGE_PTF_BY_THRESHOLD, head); }
  // Whether the answer is a number. It is then the score.
  bool is_number(size_t head = 0) const { return has_flag(EDGE_PTF_NUMBER, head); }

  edge_ptf_tensor tensor(const char* role = "logits", size_t head = 0) const {
    auto found = sized<edge_ptf_tensor>();
    check(edge_ptf_result_tensor(get(), head, role, &found));
    return found;
  }

  // The vector of the first (0) or second (1) text; empty if the head answers with none.
  std::vector<float> vector(size_t text = 0, size_t head = 0) const {
    size_t count = 0;
    const float* first = edge_ptf_result_vector(get(), head, text, &count);
    return {first, first + count};
  }

  std::vector<int64_t> ids() const {
    size_t count = 0;
    const int64_t* first = edge_ptf_result_ids(get(), &count);
    return {first, first + count};
  }

  edge_ptf_timing timing() const {
    auto found = sized<edge_ptf_timing>();
    check(edge_ptf_result_timing(get(), &found));
    return found;
  }

  edge_ptf_result* get() const { return handle_.get(); }

 private:
  // The data of an empty view may be null. The C API takes NULL for a missing text.
  static const char* start(std::string_view text) { return text.data() == nullptr ? "" : text.data(); }

  bool has_flag(edge_ptf_flag flag, size_t head) const {
    const std::vector<edge_ptf_item> found = answers(head);
    return !found.empty() && (found.front().flags & flag) != 0;
  }

  struct Destroy {
    void operator()(edge_ptf_result* result) const { edge_ptf_result_destroy(result); }
  };
  Runner runner_;
  std::unique_ptr<edge_ptf_result, Destroy> handle_;
};

}  // namespace edge_ptf

#endif
