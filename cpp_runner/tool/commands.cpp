#include "commands.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "terminal.h"

using nlohmann::json;

namespace {

constexpr size_t kShownScores = 5;
constexpr size_t kShownNumbers = 4;
constexpr int kMostNumbers = 1 << 16;

// A score in the format of edge-ptf.
std::string three_digits(double value) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

// A number that is an answer, in the format of edge-ptf.
std::string six_digits(double value) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// The vectors of an answer: the leading `dimensions` numbers, with the length 1 again; 0: all numbers.
std::vector<std::vector<float>> vectors_of(const edge_ptf::Answer& answer, size_t head, size_t dimensions) {
  std::vector<std::vector<float>> found;
  for (size_t text = 0; text < 2; ++text) {
    std::vector<float> vector = answer.vector(text, head);
    if (vector.empty()) {
      break;
    }
    if (dimensions > vector.size()) {
      throw UsageError("--dimensions " + std::to_string(dimensions) + ": a vector of this package has " +
                       std::to_string(vector.size()) + " numbers");
    }
    if (dimensions > 0) {
      vector.resize(dimensions);
      double square = 0;
      for (const float value : vector) {
        square += double{value} * double{value};
      }
      for (float& value : vector) {
        value = square > 0 ? static_cast<float>(value / std::sqrt(square)) : 0.0F;
      }
    }
    found.push_back(std::move(vector));
  }
  if (dimensions > 0 && found.empty()) {
    throw UsageError("--dimensions goes with a package that answers with vectors");
  }
  return found;
}

// The score of an answer. That of two vectors is about the numbers that are shown.
double score_of(const edge_ptf::Answer& answer, size_t head, const std::vector<std::vector<float>>& vectors) {
  return vectors.size() == 2 ? edge_ptf_cosine(vectors[0].data(), vectors[1].data(), vectors[0].size())
                             : answer.score(head);
}

// The first numbers of a vector, in the format of edge-ptf.
std::string short_vector(const std::vector<float>& vector) {
  std::string text;
  for (size_t i = 0; i < std::min(kShownNumbers, vector.size()); ++i) {
    text.append(i == 0 ? "" : ", ").append(six_digits(std::round(double{vector[i]} * 1e6) / 1e6));
  }
  return vector.size() > kShownNumbers ? text + ", … (" + std::to_string(vector.size()) + " numbers)" : text;
}

// The part of the text that an item is about.
std::string part_of(const Input& input, const edge_ptf_item& item) {
  return input.text.substr(item.begin_byte, item.end_byte - item.begin_byte);
}

json item_json(const edge_ptf_item& item, const Input& input) {
  json row = {{"label", item.label}, {"score", item.score}};
  if ((item.flags & EDGE_PTF_OUT_OF_SCOPE) != 0) {
    row["out_of_scope"] = true;
  }
  if ((item.flags & EDGE_PTF_BY_THRESHOLD) != 0) {
    row["by_threshold"] = true;
  }
  if ((item.flags & EDGE_PTF_NUMBER) != 0) {
    row["number"] = true;
  }
  if ((item.flags & EDGE_PTF_IN_PAIR) != 0) {
    row["start"] = item.begin_character;
    row["end"] = item.end_character;
    row["in_pair"] = true;
  }
  if ((item.flags & EDGE_PTF_HAS_PLACE) != 0) {
    row["start"] = item.begin_character;
    row["end"] = item.end_character;
    row["text"] = part_of(input, item);
  }
  return row;
}

// Empty lists are omitted, except for the answers.
json as_json(const edge_ptf::Answer& answer, const Input& input, size_t dimensions) {
  json row = {{"text", input.text}, {"heads", json::array()}};
  if (input.paired) {
    row["text_pair"] = input.pair;
  }
  for (size_t head = 0; head < answer.runner().head_count(); ++head) {
    const std::vector<std::vector<float>> vectors = vectors_of(answer, head, dimensions);
    const double score = score_of(answer, head, vectors);
    json found = {{"name", answer.runner().head(head).name}, {"score", score}, {"answers", json::array()}};
    for (edge_ptf_item item : answer.answers(head)) {
      item.score = vectors.empty() ? item.score : score;
      found["answers"].push_back(item_json(item, input));
    }
    if (!vectors.empty()) {
      found["vectors"] = vectors;
    }
    for (const edge_ptf_item& item : answer.items(EDGE_PTF_SCORES, head, kShownScores)) {
      found["scores"].push_back(item_json(item, input));
    }
    for (const edge_ptf_item& item : answer.words(head)) {
      found["words"].push_back(item_json(item, input));
    }
    for (const edge_ptf_item& item : answer.relations(head)) {
      found["relations"].push_back(
          {{"label", item.label}, {"score", item.score}, {"subject", item.subject}, {"object", item.object}});
    }
    row["heads"].push_back(found);
  }
  return row;
}

// For each head its answers, the relations between them, and its score, then the text.
std::string as_line(const edge_ptf::Answer& answer, const Input& input, size_t dimensions) {
  std::string line;
  for (size_t head = 0; head < answer.runner().head_count(); ++head) {
    const std::vector<std::vector<float>> vectors = vectors_of(answer, head, dimensions);
    const double score = score_of(answer, head, vectors);
    std::string answers = vectors.size() == 1 ? short_vector(vectors.front()) : "";
    for (const edge_ptf_item& item : answer.answers(head)) {
      const bool is_number = (item.flags & EDGE_PTF_NUMBER) != 0;
      answers.append(answers.empty() ? "" : ", ")
          .append(is_number ? six_digits(vectors.empty() ? item.score : score) : item.label);
      if ((item.flags & EDGE_PTF_HAS_PLACE) != 0) {
        answers.append(": ").append(part_of(input, item));
      }
    }
    const std::vector<edge_ptf_item> entities = answer.answers(head);
    for (const edge_ptf_item& item : answer.relations(head)) {
      answers.append("; ").append(part_of(input, entities[item.subject])).append(" ").append(item.label).append(" ");
      answers.append(part_of(input, entities[item.object]));
    }
    line.append(answers.empty() ? "–" : shown(answers)).append("\t").append(three_digits(score)).append("\t");
  }
  return line + shown(input.text);
}

// Adds a class to a runner. `given` is NAME=FILE; the file has a text on each line that is not blank.
void add_class(const edge_ptf::Runner& runner, const std::string& given) {
  const size_t equals = given.find('=');
  if (equals == std::string::npos) {
    throw UsageError("--add-class " + given + ": not NAME=FILE, a file with one text on each line");
  }
  const std::string path = given.substr(equals + 1);
  std::ifstream file(path);
  std::vector<std::string> texts;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') {
      line.pop_back();
    }
    if (line.find('\0') != std::string::npos) {
      throw UsageError("--add-class: " + path + " has a zero byte");
    }
    if (line.find_first_not_of(" \t") != std::string::npos) {
      texts.push_back(line);
    }
  }
  if (!file.eof()) {
    throw UsageError("--add-class: " + path + " cannot be read");
  }
  runner.add_class(given.substr(0, equals), texts);
}

void report_line(const edge_ptf_report& report) {
  const char* what = report.tokenized != 0 ? "golden vectors answered" : "golden vectors answered from their token ids";
  if (report.exact != 0) {
    std::printf("%zu %s; largest difference %.2g %% of the largest value (allowed: %.2g %%)\n", report.golden, what,
                100 * report.largest_difference, 100 * report.tolerance);
  } else {
    std::printf("%zu %s; their values were not judged: this processor does not compute the INT8 products exactly\n",
                report.golden, what);
  }
}

}  // namespace

std::set<std::string> engine_options() {
  return {"threads",          "spinning",     "arena",         "affinity",   "provider",
          "provider-library", "cache-folder", "engine-folder", "cuda-graphs"};
}

edge_ptf::Options read_options(const Arguments& arguments) {
  const auto on = [&arguments](const char* name) -> std::optional<bool> {
    const std::string value = arguments.choice(name, {"package", "on", "off"});
    return value == "package" ? std::nullopt : std::optional(value == "on");
  };
  edge_ptf::Options options;
  options.threads = static_cast<int>(arguments.whole("threads", 0, 0, 64));
  options.spinning = on("spinning");
  options.arena = on("arena");
  options.check_digests = arguments.has("check");
  const auto given = [&arguments](const char* name) {
    return arguments.has(name) ? std::optional(arguments.text(name, "")) : std::nullopt;
  };
  options.affinity = given("affinity");
  options.provider = given("provider");
  options.provider_library = given("provider-library");
  options.cache_folder = given("cache-folder");
  options.engine_folder = given("engine-folder");
  options.cuda_graphs = arguments.choice("cuda-graphs", {"on", "off"}) == "on";
  return options;
}

std::string engine_used(const edge_ptf::Options& options) {
  std::string all = edge_ptf_engine_version();  // "onnxruntime 1.32.0, tensorrt 10.3.0"
  const size_t begin = all.find(options.engine_folder ? "tensorrt " : "onnxruntime ");
  if (begin == std::string::npos) {
    return all;
  }
  const std::string used = all.substr(begin, all.find(',', begin) - begin);
  const std::string provider = options.provider.value_or("");
  return provider.empty() || provider == "cpu" ? used : used + " (" + provider + ")";
}

Input parse_input(const std::string& line, bool is_json, const std::string& place) {
  if (!is_json) {
    return {line, "", false};
  }
  const json content = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!content.is_object() || !content.contains("text") || !content["text"].is_string()) {
    throw UsageError(place + ": not a JSON object with a \"text\"");
  }
  Input input{content["text"].get<std::string>(), "", false};
  if (content.contains("text_pair") && !content["text_pair"].is_null()) {
    if (!content["text_pair"].is_string()) {
      throw UsageError(place + ": \"text_pair\" is not a text");
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
    std::cout << json_text(document, 2) << '\n';
    return EDGE_PTF_OK;
  }
  std::cout << "name       " << shown(runner.name()) << '\n' << "payload    " << runner.payload() << '\n';
  for (size_t i = 0; i < runner.head_count(); ++i) {
    const edge_ptf_head head = runner.head(i);
    std::cout << "head       " << shown(head.name) << ": " << shown(head.task) << ", " << head.label_count
              << (std::string_view(head.kind) == "embedding" ? " numbers" : " labels")
              << (runner.takes_pairs() ? ", pairs of texts" : "") << '\n';
    const json options = manifest["heads"][i].value("options", json::object());
    for (const auto& [option, value] : options.items()) {
      if (!value.is_null()) {
        std::cout << "           " << shown(option) << ": " << json_text(value) << '\n';
      }
    }
  }
  for (const json& graph : manifest["graphs"]) {
    const json& scheme = graph["scheme"];
    std::cout << "graph      " << shown(graph["name"].get<std::string>()) << ": "
              << shown(graph["format"].get<std::string>()) << ", " << shown(scheme.value("precision", "fp32")) << ", "
              << shown(scheme.value("mode", "none")) << '\n';
  }
  std::cout << "tokenizer  " << (runner.has_tokenizer() ? "yes" : "none: token ids only") << ", at most "
            << runner.max_length() << " tokens\n"
            << "threads    " << runner.threads() << '\n'
            << "runner     " << edge_ptf_version() << ", " << edge_ptf_engine_version() << '\n';
  return EDGE_PTF_OK;
}

int predict_command(const std::vector<std::string>& words) {
  std::set<std::string> allowed = engine_options();
  allowed.insert({"pair", "dimensions", "add-class"});
  const Arguments arguments(words, {"json", "jsonl", "check"}, allowed);
  const edge_ptf::Options options = read_options(arguments);
  const auto dimensions = static_cast<size_t>(arguments.whole("dimensions", 0, 1, kMostNumbers));
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
  const edge_ptf::Runner runner(package, options);
  for (const std::string& given : arguments.all("add-class")) {
    add_class(runner, given);
  }
  edge_ptf::Answer answer(runner);
  const auto say = [&](const Input& input) {
    input.paired ? answer.ask(input.text, input.pair) : answer.ask(input.text);
    if (arguments.has("json") || arguments.has("jsonl")) {
      std::cout << json_text(as_json(answer, input, dimensions)) << '\n';
    } else {
      std::cout << as_line(answer, input, dimensions) << '\n';
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
  const edge_ptf::Options options = read_options(arguments);
  const edge_ptf::Runner runner(package_among(arguments), options);
  report_line(runner.selftest());
  return EDGE_PTF_OK;
}

int verify_command(const std::vector<std::string>& words) {
  const Arguments arguments(words, {}, engine_options());
  const edge_ptf::Options options = read_options(arguments);
  const edge_ptf_options given = options.c_options();
  auto report = edge_ptf::sized<edge_ptf_report>();
  edge_ptf::check(edge_ptf_verify(package_among(arguments).c_str(), &given, &report));
  std::printf("%zu files are as the manifest says\n", report.files);
  report_line(report);
  return EDGE_PTF_OK;
}
