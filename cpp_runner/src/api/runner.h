// A runner: an open package with its tokenizer, engines and heads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/interrupt.h"
#include "engines/engine.h"
#include "heads/head.h"
#include "package/package.h"
#include "tokenizers/tokenizer.h"

namespace edge_ptf::core {

struct RunnerOptions {
  std::optional<int> threads;  // empty: the setting of the package; so for all of them
  std::optional<bool> spinning, arena;
  std::optional<std::string> affinity;
  Accelerator accelerator;
  bool check_digests = false;
  std::chrono::milliseconds deadline{0};  // of one answer; 0: none
};

// The memory of one answer.
struct Result {
  struct GraphMemory {
    std::unique_ptr<Engine::Call> call;
    std::vector<InputTensor> inputs;
    std::vector<Tensor> outputs;
    std::vector<std::vector<float>> joined;  // the values of each output, if there are windows
    std::vector<size_t> sizes;               // the first axis of each output, if there are windows
  };
  Encoding encoding;
  std::vector<GraphMemory> graphs;
  std::vector<Answer> answers;  // one for each head
  Encoding second;              // of the second text, if the texts are read apart
  std::string marked;           // a text with its entities marked
  edge_ptf_timing timing{};
  std::atomic<Stop> stopped{Stop::kNo};
  std::unique_ptr<Watchdog> watchdog;  // the last member: it uses the others; null without a deadline

  // Makes the answer of another thread fail soon. Without such an answer nothing happens.
  void stop(Stop reason);
};

struct SelftestReport {
  size_t golden = 0;  // vectors
  double largest_difference = 0;
  double tolerance = 0;  // of the text with the largest difference
  bool exact = true;
};

class Runner {
 public:
  Runner(std::unique_ptr<Package> package, const RunnerOptions& options);

  const Package& package() const { return *package_; }
  const Manifest& manifest() const { return package_->manifest(); }
  const std::string& digest() const { return digest_; }
  bool has_tokenizer() const { return tokenizer_ != nullptr; }
  bool takes_pairs() const { return manifest().heads.front().takes_pairs; }
  int threads() const { return threads_; }
  std::chrono::milliseconds deadline() const { return deadline_; }

  const Head& head(size_t index) const { return *heads_[index].head; }

  void prepare(Result& result) const;
  void tokenize(std::string_view text, const std::string_view* pair, Result& result) const;
  void predict(std::string_view text, const std::string_view* pair, Result& result) const;
  // Answers a text whose two entities are given by their bytes.
  void predict_entities(std::string_view text, edge_ptf_span first, edge_ptf_span second, Result& result) const;
  // Adds a class to the head that takes classes. Other threads may use the runner at the same time.
  void add_class(const std::string& name, const std::vector<std::string_view>& texts) const;
  // `windows` are the numbers of ids of each window. Empty: there is one.
  void predict_ids(const int64_t* ids, const int64_t* types, size_t count, Result& result,
                   const std::vector<size_t>& windows = {}) const;
  // Answers the golden vectors. Fails where an id or an output differs.
  SelftestReport selftest() const;

 private:
  using EncodingMember = std::vector<int64_t> Encoding::*;

  // A graph that at least one head reads.
  struct GraphRun {
    const Graph* graph = nullptr;
    std::vector<EncodingMember> inputs;
    std::vector<OutputSpec> outputs;
    std::unique_ptr<Engine> engine;
  };
  struct HeadRun {
    std::unique_ptr<Head> head;
    size_t graph = 0;             // an index of graphs_
    std::vector<size_t> outputs;  // for each output of the head, an index of GraphRun::outputs
  };

  void load(EngineOptions& engine, bool check_digests);
  void add_head(const HeadSpec& spec);
  static EncodingMember input_named(const std::string& name);
  static void clear(Result& result);
  void encode(std::string_view text, const std::string_view* pair, Result& result) const;
  template <typename Work>
  void stoppable(Result& result, Work work) const;
  void run_graphs(Result& result) const;
  static void run_graph(const GraphRun& graph, size_t begin, size_t length, Result& result,
                        Result::GraphMemory& memory);
  static void run_windows(const GraphRun& graph, Result& result, Result::GraphMemory& memory);
  void decode(const TextContext* context, Result& result) const;

  std::unique_ptr<Package> package_;
  std::string digest_;
  std::vector<HeadRun> heads_;
  std::vector<GraphRun> graphs_;
  std::optional<Content> tables_;
  std::unique_ptr<Tokenizer> tokenizer_;
  int threads_ = 1;
  bool reads_texts_apart_ = false;
  std::optional<size_t> stride_;  // of windows; empty: there are none
  std::chrono::milliseconds deadline_{0};
};

}  // namespace edge_ptf::core
