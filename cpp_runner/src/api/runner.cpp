#include "api/runner.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <numeric>

namespace edge_ptf::core {
namespace {

using Clock = std::chrono::steady_clock;

int64_t nanoseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count();
}

edge_ptf_timing timing(Clock::time_point begin, Clock::time_point tokenized, Clock::time_point run) {
  return {sizeof(edge_ptf_timing), nanoseconds(begin, tokenized), nanoseconds(tokenized, run),
          nanoseconds(run, Clock::now())};
}

EngineSettings settings(const RunnerOptions& options, EngineSettings found) {
  constexpr int kMostThreads = 64;
  if (options.threads && (*options.threads < 1 || *options.threads > kMostThreads)) {
    refuse("threads: " + std::to_string(*options.threads) + " is not between 1 and 64 (0: the package's)");
  }
  found.threads = options.threads.value_or(found.threads);
  found.spinning = options.spinning.value_or(found.spinning);
  found.arena = options.arena.value_or(found.arena);
  found.affinity = options.affinity.value_or(found.affinity);
  return found;
}

// The manifest was checked: the graph has the output, with a size where an axis counts numbers.
OutputSpec output_spec(const HeadSpec& head, const HeadOutput& output, const Graph& graph) {
  OutputSpec spec{output.tensor, {}};
  const auto tensor = std::find_if(graph.outputs.begin(), graph.outputs.end(),
                                   [&](const TensorEntry& each) { return each.name == output.tensor; });
  for (size_t i = 1; i < output.axes.size(); ++i) {
    const Axis axis = output.axes[i];
    spec.shape.push_back(axis == Axis::kToken    ? OutputSpec::kTokens
                         : axis == Axis::kNumber ? static_cast<size_t>(tensor->shape[i].value_or(1))
                                                 : head.labels.size());
  }
  if (spec.shape.size() > kMostAxes) {
    refuse("manifest.json: heads: the output " + in_quotes(output.tensor) + " has more than " +
           std::to_string(kMostAxes + 1) + " axes");
  }
  return spec;
}

}  // namespace

Runner::Runner(std::unique_ptr<Package> package, const RunnerOptions& options)
    : package_(std::move(package)), digest_(package_->digest()), deadline_(options.deadline) {
  EngineOptions engine;
  engine.settings = settings(options, manifest().engine);
  engine.accelerator = options.accelerator;
  engine.payload = digest_;
  about(package_->path(), [&] { load(engine, options.check_digests); });
}

void Runner::load(EngineOptions& engine, bool check_digests) {
  for (const HeadSpec& spec : manifest().heads) {
    add_head(spec);
  }
  for (const GraphRun& graph : graphs_) {
    for (const OutputSpec& output : graph.outputs) {
      if (stride_ && (output.shape.empty() || output.shape.front() != OutputSpec::kTokens)) {
        refuse("manifest.json: heads: the texts have windows, and the output " + in_quotes(output.name) +
               " has no axis of tokens");
      }
    }
  }
  if (stride_ && !takes_pairs()) {
    refuse("manifest.json: heads: only a second text has windows, and the package takes single texts");
  }
  const TokenizerEntry& entry = manifest().tokenizer;
  if (entry.tables) {
    tables_.emplace(package_->read(*entry.tables, check_digests));
    tokenizer_ = make_tokenizer(entry, tables_->bytes());
  }
  engine.max_length = entry.max_length;
  threads_ = engine.settings.threads;
  for (GraphRun& each : graphs_) {
    const EngineKind& kind = engine_for(*each.graph, manifest().engines, engine.accelerator);
    const Content model = package_->read(each.graph->file, check_digests);
    engine.outputs = each.outputs;
    each.engine = kind.make(model.bytes(), *each.graph, engine);
  }
}

void Runner::add_head(const HeadSpec& spec) {
  HeadRun run;
  run.head = make_head(spec);
  if (run.head->stride()) {
    stride_ = run.head->stride();
  }
  reads_texts_apart_ = reads_texts_apart_ || run.head->reads_texts_apart();
  const Graph& graph = manifest().graph(spec.graph);
  const auto known =
      std::find_if(graphs_.begin(), graphs_.end(), [&](const GraphRun& each) { return each.graph == &graph; });
  run.graph = static_cast<size_t>(known - graphs_.begin());
  if (known == graphs_.end()) {
    graphs_.emplace_back();
    graphs_.back().graph = &graph;
    for (const TensorEntry& input : graph.inputs) {
      graphs_.back().inputs.push_back(input_named(input.name));
    }
  }
  std::vector<OutputSpec>& outputs = graphs_[run.graph].outputs;
  for (const HeadOutput& output : spec.outputs) {
    const OutputSpec wanted = output_spec(spec, output, graph);
    const auto found =
        std::find_if(outputs.begin(), outputs.end(), [&](const OutputSpec& each) { return each.name == wanted.name; });
    if (found != outputs.end() && found->shape != wanted.shape) {
      refuse("manifest.json: heads: two heads read " + in_quotes(wanted.name) + " with different shapes");
    }
    run.outputs.push_back(static_cast<size_t>(found - outputs.begin()));
    if (found == outputs.end()) {
      outputs.push_back(wanted);
    }
  }
  heads_.push_back(std::move(run));
}

Runner::EncodingMember Runner::input_named(const std::string& name) {
  if (name == "input_ids") {
    return &Encoding::ids;
  }
  if (name == "attention_mask") {
    return &Encoding::mask;
  }
  if (name == "token_type_ids") {
    return &Encoding::types;
  }
  refuse("the graph has an input " + in_quotes(name) + ", which this runner does not know");
}

void Runner::prepare(Result& result) const {
  result.graphs.resize(graphs_.size());
  for (size_t i = 0; i < graphs_.size(); ++i) {
    result.graphs[i].call = graphs_[i].engine->call();
    for (const TensorEntry& input : graphs_[i].graph->inputs) {
      result.graphs[i].inputs.push_back({input.name, nullptr, 0});
    }
  }
  result.answers.resize(heads_.size());
  if (deadline_.count() > 0) {
    result.watchdog = std::make_unique<Watchdog>(deadline_, [&result] { result.stop(Stop::kDeadline); });
  }
}

void Result::stop(Stop reason) {
  Stop none = Stop::kNo;
  stopped.compare_exchange_strong(none, reason);
  for (GraphMemory& graph : graphs) {
    graph.call->stop();
  }
}

template <typename Work>
void Runner::stoppable(Result& result, Work work) const {
  for (Result::GraphMemory& graph : result.graphs) {
    graph.call->reset();
  }
  result.stopped = Stop::kNo;
  if (result.watchdog) {
    result.watchdog->start();
  }
  std::exception_ptr failure;
  try {
    work();
  } catch (const Error&) {
    failure = std::current_exception();
  }
  if (result.watchdog) {
    result.watchdog->stop();
  }
  if (failure && result.stopped == Stop::kNo) {
    std::rethrow_exception(failure);
  }
  if (failure) {
    clear(result);
    const bool is_late = result.stopped == Stop::kDeadline;
    throw Error(EDGE_PTF_INTERRUPTED,
                is_late ? "the answer took longer than the deadline of " + std::to_string(deadline_.count()) + " ms"
                        : "the answer was cancelled");
  }
}

void Runner::clear(Result& result) {
  for (Answer& answer : result.answers) {
    answer.clear();
  }
}

void Runner::tokenize(std::string_view text, const std::string_view* pair, Result& result) const {
  clear(result);
  if (tokenizer_ == nullptr) {
    const std::string& reason = manifest().tokenizer.unsupported;
    refuse("this package answers token ids only" + (reason.empty() ? "" : ": its tokenizer has a " + reason));
  }
  if (!reads_texts_apart_ && takes_pairs() != (pair != nullptr)) {
    refuse(pair == nullptr ? "this package answers pairs of texts" : "this package answers single texts");
  }
  encode(text, pair, result);
  result.encoding.mask.assign(result.encoding.ids.size(), 1);
}

void Runner::encode(std::string_view text, const std::string_view* pair, Result& result) const {
  Encoding& found = result.encoding;
  if (stride_) {
    tokenizer_->encode_windows(text, *pair, *stride_, found);
    return;
  }
  if (!reads_texts_apart_ || pair == nullptr) {
    tokenizer_->encode(text, pair, found);
    return;
  }
  tokenizer_->encode(text, nullptr, found);
  tokenizer_->encode(*pair, nullptr, result.second);
  found.windows = {{found.ids.size(), 0, 0, 0}, {result.second.ids.size(), 0, 0, 0}};
  found.ids.insert(found.ids.end(), result.second.ids.begin(), result.second.ids.end());
  found.types.insert(found.types.end(), result.second.types.begin(), result.second.types.end());
}

// Runs `length` ids of the encoding.
void Runner::run_graph(const GraphRun& graph, size_t begin, size_t length, Result& result,
                       Result::GraphMemory& memory) {
  for (size_t input = 0; input < memory.inputs.size(); ++input) {
    memory.inputs[input].values = (result.encoding.*graph.inputs[input]).data() + begin;
    memory.inputs[input].length = length;
  }
  memory.call->run(memory.inputs, memory.outputs);
}

// Runs each window alone, and joins their outputs along the first axis behind that of the batch.
void Runner::run_windows(const GraphRun& graph, Result& result, Result::GraphMemory& memory) {
  memory.joined.resize(graph.outputs.size());
  for (std::vector<float>& values : memory.joined) {
    values.clear();
  }
  size_t begin = 0;
  memory.sizes.assign(graph.outputs.size(), 0);
  for (const Window& window : result.encoding.windows) {
    run_graph(graph, begin, window.length, result, memory);
    begin += window.length;
    for (size_t i = 0; i < memory.outputs.size(); ++i) {
      const Tensor& output = memory.outputs[i];
      const size_t size =
          std::accumulate(output.shape.begin(), output.shape.begin() + output.rank, size_t{1}, std::multiplies<>());
      memory.sizes[i] += output.shape[0];
      memory.joined[i].insert(memory.joined[i].end(), output.values, output.values + size);
    }
  }
  for (size_t i = 0; i < memory.outputs.size(); ++i) {
    memory.outputs[i].values = memory.joined[i].data();
    memory.outputs[i].shape[0] = memory.sizes[i];
  }
}

void Runner::run_graphs(Result& result) const {
  for (size_t i = 0; i < graphs_.size(); ++i) {
    if (result.encoding.windows.size() > 1) {
      run_windows(graphs_[i], result, result.graphs[i]);
    } else {
      run_graph(graphs_[i], 0, result.encoding.ids.size(), result, result.graphs[i]);
    }
  }
  for (size_t i = 0; i < heads_.size(); ++i) {
    for (const size_t output : heads_[i].outputs) {
      result.answers[i].tensors.push_back(result.graphs[heads_[i].graph].outputs[output]);
    }
  }
}

void Runner::decode(const TextContext* context, Result& result) const {
  for (size_t i = 0; i < heads_.size(); ++i) {
    heads_[i].head->decode(context, result.answers[i]);
  }
}

void Runner::predict(std::string_view text, const std::string_view* pair, Result& result) const {
  stoppable(result, [&] {
    const Clock::time_point begin = Clock::now();
    tokenize(text, pair, result);
    const Clock::time_point tokenized = Clock::now();
    run_graphs(result);
    const Clock::time_point run = Clock::now();
    const TextContext context{text, pair == nullptr ? std::string_view() : *pair, result.encoding};
    decode(&context, result);
    result.timing = timing(begin, tokenized, run);
  });
}

void Runner::predict_entities(std::string_view text, edge_ptf_span first, edge_ptf_span second, Result& result) const {
  clear(result);
  const std::vector<std::string>* markers = nullptr;
  for (const HeadRun& head : heads_) {
    if (!head.head->markers().empty()) {
      markers = &head.head->markers();
    }
  }
  if (markers == nullptr) {
    refuse("the package answers nothing about two entities");
  }
  mark_entities(text, first, second, *markers, result.marked);
  predict(result.marked, nullptr, result);
}

void Runner::add_class(const std::string& name, const std::vector<std::string_view>& texts) const {
  const auto taking =
      std::find_if(heads_.begin(), heads_.end(), [](const HeadRun& each) { return each.head->takes_classes(); });
  const HeadRun& run = taking == heads_.end() ? heads_.front() : *taking;  // another kind refuses every name
  run.head->check_class(name);
  if (texts.empty()) {
    refuse("the new class " + in_quotes(name) + " has no texts");
  }
  const std::vector<HeadOutput>& outputs = run.head->spec().outputs;
  const auto role =
      std::find_if(outputs.begin(), outputs.end(), [](const HeadOutput& each) { return each.role == "vector"; });
  Result result;
  prepare(result);
  std::vector<std::vector<float>> vectors;
  for (const std::string_view text : texts) {
    predict(text, nullptr, result);
    const Answer& answer = result.answers[static_cast<size_t>(&run - heads_.data())];
    const Tensor& vector = answer.tensors[static_cast<size_t>(role - outputs.begin())];
    vectors.emplace_back(vector.values, vector.values + vector.shape[0]);
  }
  run.head->add_class(name, vectors);
}

void Runner::predict_ids(const int64_t* ids, const int64_t* types, size_t count, Result& result,
                         const std::vector<size_t>& windows) const {
  clear(result);
  Encoding& encoding = result.encoding;
  encoding.windows.clear();
  size_t rest = count;
  const size_t most = manifest().tokenizer.max_length;
  for (const size_t length : windows) {
    if (!stride_ || length == 0 || length > std::min(rest, most)) {
      refuse("the windows do not fit the package or its " + std::to_string(count) + " token ids");
    }
    rest -= length;
    encoding.windows.push_back({length, 0, 0, 0});
  }
  if (count == 0 || (windows.empty() ? count > most : rest > 0)) {
    refuse(std::to_string(count) + " token ids; the package takes 1 to " + std::to_string(most));
  }
  encoding.ids.assign(ids, ids + count);
  types == nullptr ? encoding.types.assign(count, 0) : encoding.types.assign(types, types + count);
  encoding.mask.assign(count, 1);
  stoppable(result, [&] {
    const Clock::time_point begin = Clock::now();
    run_graphs(result);
    const Clock::time_point run = Clock::now();
    decode(nullptr, result);
    result.timing = timing(begin, begin, run);
  });
}

}  // namespace edge_ptf::core
