#include "runner.h"

#include <chrono>

namespace edge_ptf {
namespace {

int64_t nanoseconds(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count();
}

EngineSettings settings(const RunnerOptions& options, EngineSettings found) {
  constexpr int kMostThreads = 64;
  if (options.threads < 0 || options.threads > kMostThreads) {
    refuse("threads: " + std::to_string(options.threads) + " is not between 1 and 64 (0: the package's)");
  }
  if (options.threads > 0) {
    found.threads = options.threads;
  }
  if (options.spinning >= 0) {
    found.spinning = options.spinning != 0;
  }
  if (options.arena >= 0) {
    found.arena = options.arena != 0;
  }
  if (options.affinity) {
    found.affinity = *options.affinity;
  }
  return found;
}

}  // namespace

Runner::Runner(std::unique_ptr<Package> package, const RunnerOptions& options)
    : package_(std::move(package)), digest_(package_->digest()), task_(manifest().head().task) {
  const TokenizerEntry& entry = manifest().tokenizer;
  if (entry.tables) {
    tables_.emplace(package_->read(*entry.tables, options.check_digests));
    tokenizer_ = std::make_unique<Tokenizer>(Tables(tables_->bytes()), entry.max_length, entry.truncation);
  }
  EngineOptions engine;
  engine.settings = settings(options, manifest().engine);
  engine.max_length = entry.max_length;
  engine.columns = task_.spec().labels.size();
  engine.per_token = task_.kind() == EDGE_PTF_TOKEN_CLASSIFICATION;
  threads_ = engine.settings.threads;
  const Content model = package_->read(manifest().graph().file, options.check_digests);
  engine_ = make_onnxruntime_engine(model.bytes(), manifest().graph(), manifest().head().output, engine);
}

void Runner::tokenize(std::string_view text, const std::string_view* pair, Result& result) const {
  result.answer.clear();
  result.logits = {};
  if (tokenizer_ == nullptr) {
    const std::string& reason = manifest().tokenizer.unsupported;
    refuse("this package answers token ids only" + (reason.empty() ? "" : ": its tokenizer has a " + reason));
  }
  if (manifest().head().takes_pairs != (pair != nullptr)) {
    refuse(pair == nullptr ? "this package answers pairs of texts" : "this package answers single texts");
  }
  pair == nullptr ? tokenizer_->encode(text, result.encoding) : tokenizer_->encode(text, *pair, result.encoding);
}

void Runner::predict(std::string_view text, const std::string_view* pair, Result& result) const {
  const auto begin = std::chrono::steady_clock::now();
  tokenize(text, pair, result);
  const Encoding& encoding = result.encoding;
  const auto before = std::chrono::steady_clock::now();
  result.logits = result.call->run(encoding.ids.data(), encoding.types.data(), encoding.ids.size());
  const auto after = std::chrono::steady_clock::now();
  if (task_.kind() == EDGE_PTF_CLASSIFICATION) {
    task_.classify(result.logits, result.answer);
  } else {
    task_.tag(result.logits, text, encoding.tokens, encoding.text_position, result.answer);
  }
  const auto end = std::chrono::steady_clock::now();
  result.timing = {nanoseconds(begin, before), nanoseconds(before, after), nanoseconds(after, end)};
}

void Runner::predict_ids(const int64_t* ids, const int64_t* types, size_t count, Result& result) const {
  result.answer.clear();
  result.logits = {};
  Encoding& encoding = result.encoding;
  if (count == 0 || count > manifest().tokenizer.max_length) {
    refuse(std::to_string(count) + " token ids; the package takes 1 to " +
           std::to_string(manifest().tokenizer.max_length));
  }
  encoding.ids.assign(ids, ids + count);
  types == nullptr ? encoding.types.assign(count, 0) : encoding.types.assign(types, types + count);
  const auto before = std::chrono::steady_clock::now();
  result.logits = result.call->run(encoding.ids.data(), encoding.types.data(), count);
  const auto after = std::chrono::steady_clock::now();
  if (task_.kind() == EDGE_PTF_CLASSIFICATION) {
    task_.classify(result.logits, result.answer);
  }
  result.timing = {0, nanoseconds(before, after), nanoseconds(after, std::chrono::steady_clock::now())};
}

}  // namespace edge_ptf
