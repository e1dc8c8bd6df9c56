// edge-ptf-runner bench: one launch of the latency protocol, with every sample.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "commands.h"
#include "environment.h"

using nlohmann::json;

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kWindow = 20;       // calls whose median is compared in warm-up
constexpr double kAgreement = 0.05;  // of two successive medians
constexpr size_t kMostWarmup = 600;  // calls
constexpr size_t kLeastForP90 = 36;  // a two-sided 95 % order-statistic interval exists from here on
constexpr size_t kLeastForP99 = 368;
constexpr double kDriftRatio = 1.1;  // of the medians of the last and the first third
constexpr double kStealLimit = 0.02;
constexpr int kSchema = 1;

double ms(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[std::max<size_t>(rank, 1) - 1];
}

struct Samples {
  std::vector<double> end_to_end, tokenize, engine, decode;
  std::vector<size_t> tokens;
};

std::vector<Input> read_texts(const std::string& path) {
  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) {
      throw UsageError("--texts " + path + ": cannot be read");
    }
  }
  std::istream& stream = path == "-" ? std::cin : file;
  std::vector<Input> texts;
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') {
      line.pop_back();
    }
    if (!line.empty()) {
      texts.push_back(parse_input(line, line.front() == '{', path + ", line " + std::to_string(texts.size() + 1)));
    }
  }
  if (texts.empty()) {
    throw UsageError("--texts " + path + ": no text in it");
  }
  return texts;
}

// Calls the package with one text after another and keeps the times.
class Caller {
 public:
  Caller(edge_ptf::Answer& answer, std::vector<Input> texts, bool tokenizer_only)
      : answer_(answer), texts_(std::move(texts)), tokenizer_only_(tokenizer_only) {}

  double call(size_t number, Samples* samples) {
    const Input& input = texts_[number % texts_.size()];
    const Clock::time_point begin = Clock::now();
    if (tokenizer_only_) {
      answer_.tokenize(input.text);
    } else {
      input.paired ? answer_.ask(input.text, input.pair) : answer_.ask(input.text);
    }
    const double time = ms(Clock::now() - begin);
    if (samples != nullptr) {
      const edge_ptf_timing split = answer_.timing();
      size_t count = 0;
      edge_ptf_result_ids(answer_.get(), &count);
      samples->end_to_end.push_back(time);
      samples->tokenize.push_back(static_cast<double>(split.tokenize) / 1e6);
      samples->engine.push_back(static_cast<double>(split.engine) / 1e6);
      samples->decode.push_back(static_cast<double>(split.decode) / 1e6);
      samples->tokens.push_back(count);
    }
    return time;
  }

  // Calls until the medians of two successive windows over the same texts agree; returns how many.
  size_t warm_up() {
    double before = 0;
    size_t calls = 0;
    while (calls < kMostWarmup) {
      std::vector<double> times;
      for (size_t i = 0; i < kWindow; ++i) {
        times.push_back(call(i, nullptr));
      }
      calls += kWindow;
      const double median = percentile(times, 0.5);
      if (before > 0 && std::abs(median - before) <= kAgreement * before) {
        break;
      }
      before = median;
    }
    return calls;
  }

 private:
  edge_ptf::Answer& answer_;
  std::vector<Input> texts_;
  bool tokenizer_only_;
};

// Reasons why the figures do not count, and things that could matter.
std::pair<json, json> judged(const json& before, const json& after, const Samples& samples) {
  json flags = json::array();
  json warnings = json::array();
  const size_t third = samples.end_to_end.size() / 3;
  if (third >= kWindow) {
    const auto begin = samples.end_to_end.begin();
    const double first = percentile({begin, begin + static_cast<std::ptrdiff_t>(third)}, 0.5);
    const double last =
        percentile({samples.end_to_end.end() - static_cast<std::ptrdiff_t>(third), samples.end_to_end.end()}, 0.5);
    if (last > kDriftRatio * first) {
      char text[80];
      std::snprintf(text, sizeof text, "drift: the last third of the calls took %.2f times as long as the first",
                    last / first);
      flags.push_back(text);
    }
  }
  if (before["stolen_ticks"].is_number() && after["stolen_ticks"].is_number()) {
    const double spent = after["ticks"].get<double>() - before["ticks"].get<double>();
    const double stolen = after["stolen_ticks"].get<double>() - before["stolen_ticks"].get<double>();
    if (spent > 0 && stolen > kStealLimit * spent) {
      warnings.push_back("the host took " + std::to_string(static_cast<int>(100 * stolen / spent)) +
                         " % of this machine's time");
    }
  }
  const std::string governor = machine()["governor"];
  if (governor.empty()) {
    warnings.push_back("frequency governor unknown");
  } else if (governor != "performance") {
    warnings.push_back("frequency governor is '" + governor + "'");
  }
  return {flags, warnings};
}

void print_row(const char* name, const std::vector<double>& values) {
  std::printf("%-12s p50 %8.4f ms", name, percentile(values, 0.5));
  if (values.size() >= kLeastForP90) {
    std::printf("   p90 %8.4f ms", percentile(values, 0.9));
  }
  if (values.size() >= kLeastForP99) {
    std::printf("   p99 %8.4f ms\n", percentile(values, 0.99));
  } else {
    std::printf("   p99 not estimable below %zu calls\n", kLeastForP99);
  }
}

}  // namespace

int bench_command(const std::vector<std::string>& words) {
  std::set<std::string> options = engine_options();
  options.insert({"texts", "mode", "rate", "seconds", "calls", "seed", "out", "only"});
  const Arguments arguments(words, {"json", "check", "memory"}, options);
  const EngineChoice choice(arguments);
  const std::string package = package_among(arguments);
  const std::string mode = arguments.choice("mode", {"burst", "paced", "sustained"});
  const bool tokenizer_only = arguments.choice("only", {"all", "tokenizer"}) == "tokenizer";
  const double rate = arguments.number("rate", 10, 0.01, 1000);
  const double seconds = arguments.number("seconds", mode == "sustained" ? 60 : 2, 0, 86400);
  const auto calls = static_cast<size_t>(arguments.whole("calls", 400, 1, 10'000'000));
  if (!arguments.has("texts")) {
    throw UsageError(
        "--texts FILE is needed: real texts, one a line (or JSON lines with \"text\"); - is the standard input");
  }
  if (arguments.has("rate") && mode != "paced") {
    throw UsageError("--rate goes with --mode paced");
  }
  if (emulated()) {
    throw EnvironmentError("an emulator runs this program; no latency is reported from one. Bench on the device");
  }
  std::vector<Input> texts = read_texts(arguments.text("texts", ""));
  std::mt19937 random(static_cast<uint32_t>(arguments.whole("seed", 0, 0, 1'000'000)));
  std::shuffle(texts.begin(), texts.end(), random);

  const json before = surroundings();
  const Clock::time_point started = Clock::now();
  const edge_ptf::Runner runner(package, choice.options);
  edge_ptf::Answer answer(runner);
  const double load = ms(Clock::now() - started);
  Caller caller(answer, std::move(texts), tokenizer_only);
  const double first = caller.call(0, nullptr);
  const size_t warmup = caller.warm_up();

  Samples samples;
  const Clock::time_point begin = Clock::now();
  const auto pause = std::chrono::duration<double>(1 / rate);
  for (size_t number = 0; number < calls || ms(Clock::now() - begin) < 1000 * seconds; ++number) {
    if (mode == "paced") {
      std::this_thread::sleep_until(begin +
                                    std::chrono::duration_cast<Clock::duration>(pause * static_cast<double>(number)));
    }
    caller.call(number, &samples);
  }
  const json after = surroundings();
  const auto [flags, warnings] = judged(before, after, samples);

  json record = {
      {"schema", kSchema},
      {"runner", edge_ptf_version()},
      {"engine", edge_ptf_engine_version()},
      {"payload", runner.payload()},
      {"machine", machine()},
      {"before", before},
      {"after", after},
      {"mode", mode},
      {"rate", mode == "paced" ? json(rate) : json()},
      {"threads", runner.threads()},
      {"load_ms", load},
      {"first_ms", first},
      {"warmup_calls", warmup},
      {"end_to_end_ms", samples.end_to_end},
      {"tokenize_ms", samples.tokenize},
      {"engine_ms", samples.engine},
      {"decode_ms", samples.decode},
      {"tokens", samples.tokens},
      {"flags", flags},
      {"warnings", warnings},
  };
  if (arguments.has("memory")) {
    record["peak_memory_mb"] = peak_memory_mb();
  }
  if (arguments.has("out")) {
    std::ofstream file(arguments.text("out", ""));
    file << record.dump() << '\n';
    if (!file.flush()) {
      throw EnvironmentError(arguments.text("out", "") + ": cannot be written");
    }
  }
  if (arguments.has("json")) {
    std::cout << record.dump() << '\n';
    return EDGE_PTF_OK;
  }
  std::printf("%s, %s, %d thread%s, %s, %zu calls after %zu of warm-up\n", edge_ptf_engine_version(),
              std::string(runner.name()).c_str(), runner.threads(), runner.threads() == 1 ? "" : "s", mode.c_str(),
              samples.end_to_end.size(), warmup);
  std::printf("%-12s %12.4f ms\n%-12s %12.4f ms\n", "load", load, "first", first);
  print_row("end to end", samples.end_to_end);
  if (!tokenizer_only) {
    print_row("tokenizer", samples.tokenize);
    print_row("engine", samples.engine);
    print_row("decoding", samples.decode);
  }
  for (const json& flag : flags) {
    std::printf("does not count: %s\n", flag.get<std::string>().c_str());
  }
  for (const json& warning : warnings) {
    std::printf("warning: %s\n", warning.get<std::string>().c_str());
  }
  return EDGE_PTF_OK;
}
