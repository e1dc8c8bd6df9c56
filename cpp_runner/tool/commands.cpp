#include "commands.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

using nlohmann::json;

namespace {

constexpr size_t kShownClasses = 5;

// What edge-ptf prints for a score: three digits.
std::string three_digits(double value) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

json as_json(const edge_ptf::Runner& runner, const edge_ptf::Answer& answer, const Input& input) {
  json row = {{"text", input.text}};
  if (input.paired) {
    row["text_pair"] = input.pair;
  }
  if (runner.kind() == EDGE_PTF_CLASSIFICATION) {
    row["label"] = answer.label();
    row["score"] = answer.score();
    row["classes"] = json::array();
    for (const auto& [label, score] : answer.classes(kShownClasses)) {
      row["classes"].push_back({{"label", label}, {"score", score}});
    }
    return row;
  }
  row["label"] = json::array();
  for (const edge_ptf_word& word : answer.words()) {
    row["label"].push_back(word.tag);
  }
  row["score"] = answer.score();
  row["entities"] = json::array();
  for (const edge_ptf_entity& entity : answer.entities()) {
    row["entities"].push_back({{"type", entity.type},
                               {"start", entity.begin_character},
                               {"end", entity.end_character},
                               {"text", input.text.substr(entity.begin_byte, entity.end_byte - entity.begin_byte)},
                               {"score", entity.score}});
  }
  return row;
}

std::string as_line(const edge_ptf::Runner& runner, const edge_ptf::Answer& answer, const Input& input) {
  std::string shown;
  if (runner.kind() == EDGE_PTF_CLASSIFICATION) {
    shown = answer.label();
  } else {
    for (const edge_ptf_entity& entity : answer.entities()) {
      shown += (shown.empty() ? "" : ", ") + std::string(entity.type) + ": " +
               input.text.substr(entity.begin_byte, entity.end_byte - entity.begin_byte);
    }
  }
  return (shown.empty() ? "–" : shown) + "\t" + three_digits(answer.score()) + "\t" + input.text;
}

void report_line(const edge_ptf_report& report) {
  const char* what = report.tokenized != 0 ? "golden vectors answered" : "golden vectors answered from their token ids";
  if (report.exact != 0) {
    std::printf("%zu %s; largest difference %.2g %% of the largest logit (allowed: %.2g %%)\n", report.golden, what,
                100 * report.largest_difference, 100 * report.tolerance);
  } else {
    std::printf(
        "%zu %s; their logits were not judged: this processor does not execute the package's INT8 products exactly\n",
        report.golden, what);
  }
}

}  // namespace

std::set<std::string> engine_options() {
  return {"threads", "spinning", "arena", "affinity"};
}

EngineChoice::EngineChoice(const Arguments& arguments) : affinity(arguments.text("affinity", "")) {
  const auto on = [&arguments](const char* name) {
    const std::string value = arguments.choice(name, {"package", "on", "off"});
    return value == "package" ? -1 : value == "on" ? 1 : 0;
  };
  options.threads = static_cast<int32_t>(arguments.whole("threads", 0, 0, 64));
  options.spinning = on("spinning");
  options.arena = on("arena");
  options.check_digests = arguments.has("check") ? 1 : 0;
  options.affinity = arguments.has("affinity") ? affinity.c_str() : nullptr;
}

Input parse_input(const std::string& line, bool is_json, const std::string& place) {
  if (!is_json) {
    return {line, "", false};
  }
  const json content = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!content.is_object() || !content.contains("text") || !content["text"].is_string()) {
    throw UsageError(place + ": no JSON object with a \"text\"");
  }
  Input input{content["text"].get<std::string>(), "", false};
  if (content.contains("text_pair") && !content["text_pair"].is_null()) {
    if (!content["text_pair"].is_string()) {
      throw UsageError(place + ": \"text_pair\" is no text");
    }
    input.pair = content["text_pair"].get<std::string>();
    input.paired = true;
  }
  return input;
}

std::string package_among(const Arguments& arguments) {
  if (arguments.plain().empty()) {
    throw UsageError("no package given: a .eptf file or its directory");
  }
  return arguments.plain().front();
}

int info_command(const std::vector<std::string>& words) {
  const Arguments arguments(words, {"json"}, {});
  const edge_ptf::Runner runner(package_among(arguments));
  const json manifest = json::parse(runner.manifest());
  if (arguments.has("json")) {
    const json document = {{"payload", runner.payload()},
                           {"runner", edge_ptf_version()},
                           {"engine", edge_ptf_engine_version()},
                           {"manifest", manifest}};
    std::cout << document.dump(2) << '\n';
    return EDGE_PTF_OK;
  }
  const json& head = manifest["heads"][0];
  const json& task = head["task"];
  const auto answering = [&](const json& graph) { return graph["name"] == head["graph"]; };
  const json& graphs = manifest["graphs"];
  const json& scheme = (*std::find_if(graphs.begin(), graphs.end(), answering))["scheme"];
  std::cout << "name       " << runner.name() << '\n'
            << "payload    " << runner.payload() << '\n'
            << "task       " << task["name"].get<std::string>() << ", " << runner.labels().size() << " labels"
            << (runner.takes_pairs() ? ", pairs of texts" : "") << '\n';
  if (task.contains("out_of_scope_label") && task["out_of_scope_label"].is_string()) {
    std::cout << "           out of scope: " << task["out_of_scope_label"].get<std::string>();
    if (task.contains("threshold") && task["threshold"].is_number()) {
      std::cout << " below a probability of " << three_digits(task["threshold"].get<double>());
    }
    std::cout << '\n';
  }
  std::cout << "scheme     " << scheme.value("precision", "fp32") << ", " << scheme.value("mode", "none") << '\n'
            << "tokenizer  " << (runner.has_tokenizer() ? "yes" : "none: token ids only") << ", at most "
            << runner.max_length() << " tokens\n"
            << "threads    " << runner.threads() << '\n'
            << "runner     " << edge_ptf_version() << ", " << edge_ptf_engine_version() << '\n';
  return EDGE_PTF_OK;
}

int predict_command(const std::vector<std::string>& words) {
  std::set<std::string> options = engine_options();
  options.insert("pair");
  const Arguments arguments(words, {"json", "jsonl", "check"}, options);
  const EngineChoice choice(arguments);
  const std::string package = package_among(arguments);
  const std::vector<std::string> texts(arguments.plain().begin() + 1, arguments.plain().end());
  if (arguments.has("pair") && texts.size() != 1) {
    throw UsageError("--pair goes with exactly one TEXT");
  }
  if (arguments.has("jsonl") && !texts.empty()) {
    throw UsageError("--jsonl reads the standard input; leave out TEXT");
  }
  if (texts.empty() && isatty(STDIN_FILENO) != 0) {
    throw UsageError("no text given: edge-ptf-runner predict PACKAGE \"your text\", or pipe one text a line");
  }
  const edge_ptf::Runner runner(package, choice.options);
  edge_ptf::Answer answer(runner);
  const auto say = [&](const Input& input) {
    input.paired ? answer.ask(input.text, input.pair) : answer.ask(input.text);
    if (arguments.has("json") || arguments.has("jsonl")) {
      // Text that is not UTF-8 is shown as the library read it.
      std::cout << as_json(runner, answer, input).dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    } else {
      std::cout << as_line(runner, answer, input) << '\n';
    }
  };
  for (const std::string& text : texts) {
    say({text, arguments.text("pair", ""), arguments.has("pair")});
  }
  if (texts.empty()) {
    size_t number = 0;
    for (std::string line; std::getline(std::cin, line);) {
      if (!line.empty() && line.back() == '\r') {
        line.pop_back();
      }
      say(parse_input(line, arguments.has("jsonl"), "line " + std::to_string(++number)));
      std::cout.flush();
    }
  }
  if (!std::cout.flush()) {
    throw EnvironmentError("the answers cannot be written");
  }
  return EDGE_PTF_OK;
}

int selftest_command(const std::vector<std::string>& words) {
  const Arguments arguments(words, {"check"}, engine_options());
  const EngineChoice choice(arguments);
  const edge_ptf::Runner runner(package_among(arguments), choice.options);
  report_line(runner.selftest());
  return EDGE_PTF_OK;
}

int verify_command(const std::vector<std::string>& words) {
  const Arguments arguments(words, {}, engine_options());
  const EngineChoice choice(arguments);
  edge_ptf_report report{};
  report.struct_size = sizeof report;
  edge_ptf::check(edge_ptf_verify(package_among(arguments).c_str(), &choice.options, &report));
  std::printf("%zu files as the manifest says\n", report.files);
  report_line(report);
  return EDGE_PTF_OK;
}
