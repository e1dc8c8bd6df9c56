// The C API: handles, and statuses in place of exceptions.
#include <algorithm>
#include <new>
#include <string>

#include "edge_ptf.h"
#include "error.h"
#include "runner.h"

using edge_ptf::Answer;
using edge_ptf::Package;
using edge_ptf::Runner;

struct edge_ptf_runner {
  Runner runner;
};

struct edge_ptf_result {
  const Runner* runner;
  edge_ptf::Result content;
};

namespace {

std::string& last_error() {
  static thread_local std::string message;
  return message;
}

edge_ptf_status failed(edge_ptf_status status, const char* message) noexcept {
  try {
    last_error() = message;
  } catch (...) {
    last_error().clear();
  }
  return status;
}

template <typename Work>
edge_ptf_status guarded(Work work) noexcept {
  try {
    work();
    return EDGE_PTF_OK;
  } catch (const edge_ptf::Error& error) {
    return failed(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return failed(EDGE_PTF_ENVIRONMENT, "no memory left");
  } catch (const std::exception& error) {
    return failed(EDGE_PTF_INTERNAL, error.what());
  } catch (...) {
    return failed(EDGE_PTF_INTERNAL, "unknown fault");
  }
}

void need(bool given, const char* what) {
  if (!given) {
    edge_ptf::refuse(std::string(what) + " is NULL");
  }
}

// The fields that the caller's version of the structure has.
edge_ptf::RunnerOptions read_options(const edge_ptf_options* given) {
  edge_ptf::RunnerOptions options;
  if (given == nullptr) {
    return options;
  }
  if (given->struct_size != sizeof *given) {
    edge_ptf::refuse("options: call edge_ptf_options_init first");
  }
  options.threads = given->threads;
  options.spinning = given->spinning;
  options.arena = given->arena;
  options.check_digests = given->check_digests != 0;
  if (given->affinity != nullptr) {
    options.affinity = given->affinity;
  }
  return options;
}

std::string_view text_view(const char* text, size_t length) {
  return length == EDGE_PTF_TERMINATED ? std::string_view(text) : std::string_view(text, length);
}

void write_report(const Runner& runner, const edge_ptf::GoldenReport& found, size_t files, edge_ptf_report* report) {
  if (report == nullptr) {
    return;
  }
  report->files = files;
  report->golden = found.count;
  report->largest_difference = found.largest_difference;
  report->tolerance = found.tolerance;
  report->exact = found.exact ? 1 : 0;
  report->tokenized = runner.has_tokenizer() ? 1 : 0;
}

void check_report(const edge_ptf_report* report) {
  if (report != nullptr && report->struct_size != sizeof *report) {
    edge_ptf::refuse("report: set struct_size to sizeof(edge_ptf_report)");
  }
}

const Answer* answer_of(const edge_ptf_result* result) {
  return result != nullptr && result->content.answer.made ? &result->content.answer : nullptr;
}

}  // namespace

uint32_t edge_ptf_abi_version(void) {
  return EDGE_PTF_ABI_VERSION;
}

const char* edge_ptf_version(void) {
  return EDGE_PTF_VERSION;
}

const char* edge_ptf_engine_version(void) {
  try {
    return edge_ptf::engine_version().c_str();
  } catch (...) {
    return "";
  }
}

const char* edge_ptf_last_error(void) {
  return last_error().c_str();
}

void edge_ptf_options_init(edge_ptf_options* options) {
  if (options != nullptr) {
    *options = {sizeof *options, 0, -1, -1, 0, nullptr};
  }
}

edge_ptf_status edge_ptf_open(const char* path, const edge_ptf_options* options, edge_ptf_runner** runner) {
  return guarded([&] {
    need(runner != nullptr, "runner");
    *runner = nullptr;
    need(path != nullptr, "path");
    const edge_ptf::RunnerOptions chosen = read_options(options);
    *runner = new edge_ptf_runner{Runner(std::make_unique<Package>(std::string(path)), chosen)};
  });
}

edge_ptf_status edge_ptf_open_memory(const void* content, size_t size, const edge_ptf_options* options,
                                     edge_ptf_runner** runner) {
  return guarded([&] {
    need(runner != nullptr, "runner");
    *runner = nullptr;
    need(content != nullptr, "content");
    if (reinterpret_cast<uintptr_t>(content) % alignof(uint32_t) != 0) {  // its tables are read where they lie
      edge_ptf::refuse("content does not begin at a multiple of four bytes");
    }
    const edge_ptf::RunnerOptions chosen = read_options(options);
    *runner = new edge_ptf_runner{Runner(std::make_unique<Package>(edge_ptf::Bytes(content, size)), chosen)};
  });
}

void edge_ptf_close(edge_ptf_runner* runner) {
  delete runner;
}

edge_ptf_kind edge_ptf_runner_kind(const edge_ptf_runner* runner) {
  return runner == nullptr ? static_cast<edge_ptf_kind>(0) : runner->runner.task().kind();
}

const char* edge_ptf_runner_name(const edge_ptf_runner* runner) {
  return runner == nullptr ? nullptr : runner->runner.manifest().name.c_str();
}

const char* edge_ptf_runner_payload(const edge_ptf_runner* runner) {
  return runner == nullptr ? nullptr : runner->runner.digest().c_str();
}

const char* edge_ptf_runner_manifest(const edge_ptf_runner* runner) {
  return runner == nullptr ? nullptr : runner->runner.package().document().c_str();
}

size_t edge_ptf_runner_label_count(const edge_ptf_runner* runner) {
  return runner == nullptr ? 0 : runner->runner.task().spec().labels.size();
}

const char* edge_ptf_runner_label(const edge_ptf_runner* runner, size_t index) {
  return index < edge_ptf_runner_label_count(runner) ? runner->runner.task().spec().labels[index].c_str() : nullptr;
}

size_t edge_ptf_runner_max_length(const edge_ptf_runner* runner) {
  return runner == nullptr ? 0 : runner->runner.manifest().tokenizer.max_length;
}

int edge_ptf_runner_takes_pairs(const edge_ptf_runner* runner) {
  return runner != nullptr && runner->runner.manifest().head().takes_pairs ? 1 : 0;
}

int edge_ptf_runner_has_tokenizer(const edge_ptf_runner* runner) {
  return runner != nullptr && runner->runner.has_tokenizer() ? 1 : 0;
}

int edge_ptf_runner_threads(const edge_ptf_runner* runner) {
  return runner == nullptr ? 0 : runner->runner.threads();
}

edge_ptf_status edge_ptf_result_create(const edge_ptf_runner* runner, edge_ptf_result** result) {
  return guarded([&] {
    need(result != nullptr, "result");
    *result = nullptr;
    need(runner != nullptr, "runner");
    auto made = std::make_unique<edge_ptf_result>();
    made->runner = &runner->runner;
    runner->runner.prepare(made->content);
    *result = made.release();
  });
}

void edge_ptf_result_destroy(edge_ptf_result* result) {
  delete result;
}

namespace {

template <typename Work>
edge_ptf_status with_texts(const edge_ptf_runner* runner, const char* text, size_t length, const char* pair,
                           size_t pair_length, edge_ptf_result* result, Work work) noexcept {
  return guarded([&] {
    need(runner != nullptr, "runner");
    need(result != nullptr, "result");
    need(text != nullptr, "text");
    if (result->runner != &runner->runner) {
      edge_ptf::refuse("the result was made for another runner");
    }
    const std::string_view second = pair == nullptr ? std::string_view() : text_view(pair, pair_length);
    work(text_view(text, length), pair == nullptr ? nullptr : &second);
  });
}

}  // namespace

edge_ptf_status edge_ptf_predict(const edge_ptf_runner* runner, const char* text, size_t length, const char* pair,
                                 size_t pair_length, edge_ptf_result* result) {
  return with_texts(runner, text, length, pair, pair_length, result,
                    [&](std::string_view first, const std::string_view* second) {
                      runner->runner.predict(first, second, result->content);
                    });
}

edge_ptf_status edge_ptf_tokenize(const edge_ptf_runner* runner, const char* text, size_t length, const char* pair,
                                  size_t pair_length, edge_ptf_result* result) {
  return with_texts(runner, text, length, pair, pair_length, result,
                    [&](std::string_view first, const std::string_view* second) {
                      runner->runner.tokenize(first, second, result->content);
                    });
}

edge_ptf_status edge_ptf_predict_ids(const edge_ptf_runner* runner, const int64_t* ids, const int64_t* types,
                                     size_t count, edge_ptf_result* result) {
  return guarded([&] {
    need(runner != nullptr, "runner");
    need(result != nullptr, "result");
    need(ids != nullptr, "ids");
    if (result->runner != &runner->runner) {
      edge_ptf::refuse("the result was made for another runner");
    }
    runner->runner.predict_ids(ids, types, count, result->content);
  });
}

const char* edge_ptf_result_label(const edge_ptf_result* result) {
  const Answer* answer = answer_of(result);
  return answer == nullptr || answer->label == nullptr ? nullptr : answer->label->c_str();
}

double edge_ptf_result_score(const edge_ptf_result* result) {
  const Answer* answer = answer_of(result);
  return answer == nullptr ? 0 : answer->score;
}

int edge_ptf_result_out_of_scope(const edge_ptf_result* result) {
  const Answer* answer = answer_of(result);
  return answer != nullptr && answer->out_of_scope ? 1 : 0;
}

size_t edge_ptf_result_class_count(const edge_ptf_result* result) {
  const Answer* answer = answer_of(result);
  return answer == nullptr || answer->label == nullptr ? 0 : answer->probabilities.size();
}

const char* edge_ptf_result_class(const edge_ptf_result* result, size_t rank, double* score) {
  if (rank >= edge_ptf_result_class_count(result)) {
    return nullptr;
  }
  const Answer& answer = result->content.answer;
  uint32_t index = 0;
  if (guarded([&] { index = answer.best_first()[rank]; }) != EDGE_PTF_OK) {
    return nullptr;
  }
  if (score != nullptr) {
    *score = answer.probabilities[index];
  }
  return result->runner->task().spec().labels[index].c_str();
}

size_t edge_ptf_result_word_count(const edge_ptf_result* result) {
  const Answer* answer = answer_of(result);
  return answer == nullptr ? 0 : answer->words.size();
}

edge_ptf_status edge_ptf_result_word(const edge_ptf_result* result, size_t index, edge_ptf_word* word) {
  return guarded([&] {
    need(word != nullptr, "word");
    *word = {};
    if (index >= edge_ptf_result_word_count(result)) {
      edge_ptf::refuse("there is no word " + std::to_string(index));
    }
    const edge_ptf::Word& found = result->content.answer.words[index];
    *word = {result->runner->task().spec().labels[found.tag].c_str(), found.score, found.begin_byte, found.end_byte};
  });
}

size_t edge_ptf_result_entity_count(const edge_ptf_result* result) {
  const Answer* answer = answer_of(result);
  return answer == nullptr ? 0 : answer->entities.size();
}

edge_ptf_status edge_ptf_result_entity(const edge_ptf_result* result, size_t index, edge_ptf_entity* entity) {
  return guarded([&] {
    need(entity != nullptr, "entity");
    *entity = {};
    if (index >= edge_ptf_result_entity_count(result)) {
      edge_ptf::refuse("there is no entity " + std::to_string(index));
    }
    const Answer& answer = result->content.answer;
    const edge_ptf::Entity& found = answer.entities[index];
    const edge_ptf::Word& first = answer.words[found.first_word];
    const edge_ptf::Word& last = answer.words[found.last_word];
    *entity = {result->runner->task().types()[found.type].c_str(),
               found.score,
               first.begin_byte,
               last.end_byte,
               first.begin_character,
               last.end_character,
               found.first_word,
               found.last_word};
  });
}

namespace {

const int64_t* numbers(const std::vector<int64_t>* values, size_t* count) {
  if (count != nullptr) {
    *count = values == nullptr ? 0 : values->size();
  }
  return values == nullptr ? nullptr : values->data();
}

}  // namespace

const int64_t* edge_ptf_result_ids(const edge_ptf_result* result, size_t* count) {
  return numbers(result == nullptr ? nullptr : &result->content.encoding.ids, count);
}

const int64_t* edge_ptf_result_types(const edge_ptf_result* result, size_t* count) {
  return numbers(result == nullptr ? nullptr : &result->content.encoding.types, count);
}

const float* edge_ptf_result_logits(const edge_ptf_result* result, size_t* rows, size_t* columns) {
  const edge_ptf::Logits found = result == nullptr ? edge_ptf::Logits() : result->content.logits;
  if (rows != nullptr) {
    *rows = found.rows;
  }
  if (columns != nullptr) {
    *columns = found.columns;
  }
  return found.values;
}

edge_ptf_timing edge_ptf_result_timing(const edge_ptf_result* result) {
  return result == nullptr ? edge_ptf_timing{} : result->content.timing;
}

edge_ptf_status edge_ptf_selftest(const edge_ptf_runner* runner, edge_ptf_report* report) {
  return guarded([&] {
    check_report(report);
    need(runner != nullptr, "runner");
    write_report(runner->runner, runner->runner.selftest(), 0, report);
  });
}

edge_ptf_status edge_ptf_verify(const char* path, const edge_ptf_options* options, edge_ptf_report* report) {
  return guarded([&] {
    check_report(report);
    need(path != nullptr, "path");
    const edge_ptf::RunnerOptions chosen = read_options(options);
    auto package = std::make_unique<Package>(std::string(path));
    const size_t files = package->manifest().files.size();
    for (const edge_ptf::FileEntry& entry : package->manifest().files) {
      package->read(entry.path, /*check=*/true);
    }
    package->check_verdict();
    const Runner runner(std::move(package), chosen);
    write_report(runner, runner.selftest(), files, report);
  });
}
