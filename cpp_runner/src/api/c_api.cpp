// The C API: handles, and statuses instead of exceptions.
#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "api/guarded.h"
#include "api/handles.h"
#include "api/structures.h"
#include "edge_ptf.h"
#include "error.h"
#include "package/huggingface.h"

using edge_ptf::core::Answer;
using edge_ptf::core::clear;
using edge_ptf::core::guarded;
using edge_ptf::core::HeadSpec;
using edge_ptf::core::need;
using edge_ptf::core::need_size;
using edge_ptf::core::Package;
using edge_ptf::core::Runner;
using edge_ptf::core::write;

namespace {

std::optional<bool> read_switch(int32_t value, const char* name) {
  if (value != EDGE_PTF_PACKAGE && value != EDGE_PTF_ON && value != EDGE_PTF_OFF) {
    edge_ptf::core::refuse(std::string("options: ") + name + " is not 0, EDGE_PTF_ON or EDGE_PTF_OFF");
  }
  return value == EDGE_PTF_PACKAGE ? std::nullopt : std::optional(value == EDGE_PTF_ON);
}

edge_ptf::core::RunnerOptions read_options(const edge_ptf_options* theirs) {
  edge_ptf::core::RunnerOptions options;
  if (theirs == nullptr) {
    return options;
  }
  need_size(theirs->struct_size, "options");
  edge_ptf_options given{};
  std::memcpy(&given, theirs, std::min(theirs->struct_size, sizeof given));
  if (given.threads != 0) {
    options.threads = given.threads;
  }
  options.spinning = read_switch(given.spinning, "spinning");
  options.arena = read_switch(given.arena, "arena");
  options.check_digests = given.check_digests != 0;
  if (given.deadline_ms < 0) {
    edge_ptf::core::refuse("options: deadline_ms is negative");
  }
  options.deadline = std::chrono::milliseconds(given.deadline_ms);
  if (given.affinity != nullptr) {
    options.affinity = given.affinity;
  }
  edge_ptf::core::Accelerator& accelerator = options.accelerator;
  const auto take = [](const char* text, std::string& into) { into = text == nullptr ? into : std::string(text); };
  take(given.provider, accelerator.provider);
  take(given.provider_library, accelerator.provider_library);
  take(given.cache_folder, accelerator.cache_folder);
  take(given.engine_folder, accelerator.engine_folder);
  accelerator.cuda_graphs = read_switch(given.cuda_graphs, "cuda_graphs").value_or(true);
  return options;
}

std::string_view text_view(const char* text, size_t length) {
  return length == EDGE_PTF_TERMINATED ? std::string_view(text) : std::string_view(text, length);
}

void write_report(const Runner& runner, const edge_ptf::core::SelftestReport& found, size_t files,
                  edge_ptf_report* report) {
  if (report != nullptr) {
    write({sizeof *report, files, found.golden, found.largest_difference, found.tolerance, found.exact ? 1 : 0,
           runner.has_tokenizer() ? 1 : 0},
          report);
  }
}

const HeadSpec* head_of(const Runner* runner, size_t head) {
  return runner != nullptr && head < runner->manifest().heads.size() ? &runner->manifest().heads[head] : nullptr;
}

const Runner* runner_of(const edge_ptf_runner* runner) {
  return runner == nullptr ? nullptr : runner->content.get();
}

const Answer* answer_of(const edge_ptf_result* result, size_t head) {
  return result != nullptr && head < result->content.answers.size() ? &result->content.answers[head] : nullptr;
}

// The items of a list that is stored as items.
const std::vector<edge_ptf_item>* items_of(const Answer& answer, int list) {
  switch (list) {
    case EDGE_PTF_ANSWERS: return &answer.answers;
    case EDGE_PTF_WORDS: return &answer.words;
    case EDGE_PTF_RELATIONS: return &answer.relations;
    default: return nullptr;
  }
}

template <typename Work>
edge_ptf_status with_texts(edge_ptf_result* result, const char* text, size_t length, const char* pair,
                           size_t pair_length, Work work) noexcept {
  return guarded([&] {
    need(result != nullptr, "result");
    need(text != nullptr, "text");
    const std::string_view second = pair == nullptr ? std::string_view() : text_view(pair, pair_length);
    work(text_view(text, length), pair == nullptr ? nullptr : &second);
  });
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
    return edge_ptf::core::engine_versions().c_str();
  } catch (...) {
    return "";
  }
}

const char* edge_ptf_last_error(void) {
  return edge_ptf::core::last_failure().c_str();
}

edge_ptf_status edge_ptf_open(const char* path, const edge_ptf_options* options, edge_ptf_runner** runner) {
  return guarded([&] {
    need(runner != nullptr, "runner");
    *runner = nullptr;
    need(path != nullptr, "path");
    const edge_ptf::core::RunnerOptions chosen = read_options(options);
    *runner = new edge_ptf_runner{std::make_shared<const Runner>(std::make_unique<Package>(std::string(path)), chosen)};
  });
}

edge_ptf_status edge_ptf_open_memory(const void* content, size_t size, const edge_ptf_options* options,
                                     edge_ptf_runner** runner) {
  return guarded([&] {
    need(runner != nullptr, "runner");
    *runner = nullptr;
    need(content != nullptr, "content");
    if (reinterpret_cast<uintptr_t>(content) % alignof(uint32_t) != 0) {  // its tables are read in place
      edge_ptf::core::refuse("content does not begin at a multiple of four bytes");
    }
    const edge_ptf::core::RunnerOptions chosen = read_options(options);
    *runner = new edge_ptf_runner{
        std::make_shared<const Runner>(std::make_unique<Package>(edge_ptf::core::Bytes(content, size)), chosen)};
  });
}

void edge_ptf_close(edge_ptf_runner* runner) {
  delete runner;
}

const char* edge_ptf_runner_name(const edge_ptf_runner* runner) {
  return runner == nullptr ? nullptr : runner->content->manifest().name.c_str();
}

const char* edge_ptf_runner_payload(const edge_ptf_runner* runner) {
  return runner == nullptr ? nullptr : runner->content->digest().c_str();
}

const char* edge_ptf_runner_manifest(const edge_ptf_runner* runner) {
  return runner == nullptr ? nullptr : runner->content->package().document().c_str();
}

size_t edge_ptf_runner_max_length(const edge_ptf_runner* runner) {
  return runner == nullptr ? 0 : runner->content->manifest().tokenizer.max_length;
}

int edge_ptf_runner_takes_pairs(const edge_ptf_runner* runner) {
  return runner != nullptr && runner->content->takes_pairs() ? 1 : 0;
}

int edge_ptf_runner_has_tokenizer(const edge_ptf_runner* runner) {
  return runner != nullptr && runner->content->has_tokenizer() ? 1 : 0;
}

int edge_ptf_runner_threads(const edge_ptf_runner* runner) {
  return runner == nullptr ? 0 : runner->content->threads();
}

size_t edge_ptf_runner_head_count(const edge_ptf_runner* runner) {
  return runner == nullptr ? 0 : runner->content->manifest().heads.size();
}

edge_ptf_status edge_ptf_runner_head(const edge_ptf_runner* runner, size_t index, edge_ptf_head* head) {
  return guarded([&] {
    clear(head, "head");
    need(runner != nullptr, "runner");
    const HeadSpec* spec = head_of(runner_of(runner), index);
    if (spec == nullptr) {
      edge_ptf::core::refuse("there is no head " + std::to_string(index));
    }
    const size_t labels = runner->content->head(index).label_count();
    write({sizeof *head, spec->name.c_str(), spec->task.c_str(), spec->kind.c_str(), labels}, head);
  });
}

const char* edge_ptf_runner_label(const edge_ptf_runner* runner, size_t head, size_t index) {
  const bool known = head_of(runner_of(runner), head) != nullptr && index < runner->content->head(head).label_count();
  return known ? runner->content->head(head).label(index).c_str() : nullptr;
}

edge_ptf_status edge_ptf_add_class(edge_ptf_runner* runner, const char* name, const char* const* texts, size_t count) {
  return guarded([&] {
    need(runner != nullptr, "runner");
    need(name != nullptr, "name");
    need(texts != nullptr || count == 0, "texts");
    std::vector<std::string_view> given;
    for (size_t i = 0; i < count; ++i) {
      need(texts[i] != nullptr, "a text");
      given.emplace_back(texts[i]);
    }
    runner->content->add_class(name, given);
  });
}

edge_ptf_status edge_ptf_result_create(const edge_ptf_runner* runner, edge_ptf_result** result) {
  return guarded([&] {
    need(result != nullptr, "result");
    *result = nullptr;
    need(runner != nullptr, "runner");
    auto made = std::make_unique<edge_ptf_result>();
    made->runner = runner->content;
    made->runner->prepare(made->content);
    *result = made.release();
  });
}

void edge_ptf_result_destroy(edge_ptf_result* result) {
  delete result;
}

edge_ptf_status edge_ptf_cancel(edge_ptf_result* result) {
  return guarded([&] {
    need(result != nullptr, "result");
    result->content.stop(edge_ptf::core::Stop::kCancelled);
  });
}

edge_ptf_status edge_ptf_predict(edge_ptf_result* result, const char* text, size_t length, const char* pair,
                                 size_t pair_length) {
  return with_texts(result, text, length, pair, pair_length,
                    [&](std::string_view first, const std::string_view* second) {
                      result->runner->predict(first, second, result->content);
                    });
}

edge_ptf_status edge_ptf_predict_entities(edge_ptf_result* result, const char* text, size_t length, edge_ptf_span first,
                                          edge_ptf_span second) {
  return with_texts(result, text, length, nullptr, 0, [&](std::string_view given, const std::string_view*) {
    result->runner->predict_entities(given, first, second, result->content);
  });
}

edge_ptf_status edge_ptf_tokenize(edge_ptf_result* result, const char* text, size_t length, const char* pair,
                                  size_t pair_length) {
  return with_texts(result, text, length, pair, pair_length,
                    [&](std::string_view first, const std::string_view* second) {
                      result->runner->tokenize(first, second, result->content);
                    });
}

edge_ptf_status edge_ptf_predict_ids(edge_ptf_result* result, const int64_t* ids, const int64_t* types, size_t count) {
  return guarded([&] {
    need(result != nullptr, "result");
    need(ids != nullptr, "ids");
    result->runner->predict_ids(ids, types, count, result->content);
  });
}

const char* edge_ptf_result_label(const edge_ptf_result* result, size_t head) {
  const Answer* answer = answer_of(result, head);
  return answer == nullptr || answer->answers.empty() ? nullptr : answer->answers.front().label;
}

double edge_ptf_result_score(const edge_ptf_result* result, size_t head) {
  const Answer* answer = answer_of(result, head);
  return answer == nullptr ? 0 : answer->score;
}

size_t edge_ptf_result_count(const edge_ptf_result* result, size_t head, int list) {
  const Answer* answer = answer_of(result, head);
  if (answer == nullptr || list == EDGE_PTF_SCORES) {
    return answer == nullptr ? 0 : answer->score_count();
  }
  const std::vector<edge_ptf_item>* items = items_of(*answer, list);
  return items == nullptr ? 0 : items->size();
}

edge_ptf_status edge_ptf_result_item(const edge_ptf_result* result, size_t head, int list, size_t index,
                                     edge_ptf_item* item) {
  return guarded([&] {
    clear(item, "item");
    need(result != nullptr, "result");
    if (index >= edge_ptf_result_count(result, head, list)) {
      edge_ptf::core::refuse("there is no item " + std::to_string(index));
    }
    const Answer& answer = result->content.answers[head];
    if (const std::vector<edge_ptf_item>* items = items_of(answer, list)) {
      write((*items)[index], item);
      return;
    }
    write(answer.score_item(result->runner->head(head), index), item);
  });
}

edge_ptf_status edge_ptf_result_tensor(const edge_ptf_result* result, size_t head, const char* role,
                                       edge_ptf_tensor* tensor) {
  return guarded([&] {
    clear(tensor, "tensor");
    need(result != nullptr, "result");
    need(role != nullptr, "role");
    const HeadSpec* spec = head_of(result->runner.get(), head);
    const Answer* answer = answer_of(result, head);
    for (size_t i = 0; spec != nullptr && i < answer->tensors.size(); ++i) {
      if (spec->outputs[i].role == role) {
        const edge_ptf::core::Tensor& found = answer->tensors[i];
        write({sizeof *tensor, found.values, found.shape.data(), found.rank}, tensor);
        return;
      }
    }
    edge_ptf::core::refuse("there is no output " + edge_ptf::core::in_quotes(role) + " of the head " +
                           std::to_string(head));
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

edge_ptf_status edge_ptf_result_timing(const edge_ptf_result* result, edge_ptf_timing* timing) {
  return guarded([&] {
    clear(timing, "timing");
    need(result != nullptr, "result");
    write(result->content.timing, timing);
  });
}

edge_ptf_status edge_ptf_selftest(const edge_ptf_runner* runner, edge_ptf_report* report) {
  return guarded([&] {
    if (report != nullptr) {
      clear(report, "report");
    }
    need(runner != nullptr, "runner");
    write_report(*runner->content, runner->content->selftest(), 0, report);
  });
}

edge_ptf_status edge_ptf_verify(const char* path, const edge_ptf_options* options, edge_ptf_report* report) {
  return guarded([&] {
    if (report != nullptr) {
      clear(report, "report");
    }
    need(path != nullptr, "path");
    const edge_ptf::core::RunnerOptions chosen = read_options(options);
    auto package = std::make_unique<Package>(std::string(path));
    const size_t files = package->manifest().files.size();
    for (const edge_ptf::core::FileEntry& entry : package->manifest().files) {
      package->read(entry.path, /*check=*/true);
    }
    package->check_verdict();
    edge_ptf::core::about(package->path(), [&] { edge_ptf::core::check_huggingface(*package); });
    const Runner runner(std::move(package), chosen);
    write_report(runner, runner.selftest(), files, report);
  });
}
