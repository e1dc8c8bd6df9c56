// edge-ptf-runner bench: one launch of the latency protocol, with every sample.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "commands.h"
#include "environment.h"
#include "protocol.h"
#include "terminal.h"

using nlohmann::json;

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kLeastForP90 = 36;  // fewest calls for a two-sided 95 % order-statistic interval
constexpr size_t kLeastForP99 = 368;
constexpr double kDriftRatio = 1.1;  // largest ratio of the medians of the last and the first third
constexpr double kStealLimit = 0.02;
constexpr int kThrottledNow = 0xF;  // bits of get_throttled
constexpr int kSchema = 1;

double ms(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
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

// A package in this process, called with one text after another.
class Subject {
 public:
  Subject(const std::string& package, const edge_ptf::Options& options, const std::vector<Input>& texts,
          bool tokenizer_only)
      : started_(Clock::now()),
        runner_(package, options),
        answer_(runner_),
        load_(ms(Clock::now() - started_)),
        texts_(texts),
        tokenizer_only_(tokenizer_only),
        first_(call(0)) {}

  const edge_ptf::Runner& runner() const { return runner_; }
  const Samples& samples() const { return samples_; }
  double load_ms() const { return load_; }
  double first_ms() const { return first_; }
  size_t warmup_calls() const { return warmup_; }

  double call(size_t number) {
    const Input& input = texts_[number % texts_.size()];
    const Clock::time_point begin = Clock::now();
    if (tokenizer_only_) {
      answer_.tokenize(input.text);
    } else {
      input.paired ? answer_.ask(input.text, input.pair) : answer_.ask(input.text);
    }
    return ms(Clock::now() - begin);
  }

  double call_and_keep(size_t number) {
    const double time = call(number);
    const edge_ptf_timing split = answer_.timing();
    size_t count = 0;
    edge_ptf_result_ids(answer_.get(), &count);
    samples_.end_to_end.push_back(time);
    samples_.tokenize.push_back(static_cast<double>(split.tokenize) / 1e6);
    samples_.engine.push_back(static_cast<double>(split.engine) / 1e6);
    samples_.decode.push_back(static_cast<double>(split.decode) / 1e6);
    samples_.tokens.push_back(count);
    return time;
  }

  void warm_up() {
    warmup_ = ::warm_up([this](size_t number) { return call(number); });
  }

  // The part of the record for one package.
  json record() const {
    return {
        {"payload", runner_.payload()},
        {"load_ms", rounded(load_)},
        {"first_ms", rounded(first_)},
        {"warmup_calls", warmup_},
        {"end_to_end_ms", rounded(samples_.end_to_end)},
        {"tokenize_ms", rounded(samples_.tokenize)},
        {"engine_ms", rounded(samples_.engine)},
        {"decode_ms", rounded(samples_.decode)},
        {"tokens", samples_.tokens},
    };
  }

 private:
  // Rounds to the nanosecond, the unit of the clock.
  static double rounded(double value) { return std::round(value * 1e6) / 1e6; }

  static json rounded(const std::vector<double>& values) {
    json found = json::array();
    for (const double value : values) {
      found.push_back(rounded(value));
    }
    return found;
  }

  Clock::time_point started_;
  edge_ptf::Runner runner_;
  edge_ptf::Answer answer_;
  double load_;
  const std::vector<Input>& texts_;
  bool tokenizer_only_;
  double first_;
  size_t warmup_ = 0;
  Samples samples_;
};

// Reasons why the figures of this launch do not count, and conditions that may affect them. `edge-ptf` judges all
// launches of a measurement together, from the recorded facts.
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
      (void)std::snprintf(text, sizeof text, "drift: the last third of the calls took %.2f times as long as the first",
                          last / first);
      flags.push_back(text);
    }
  }
  if (after["throttled"].is_number() && (after["throttled"].get<int>() & kThrottledNow) != 0) {
    flags.push_back("throttled: power or temperature");
  }
  if (after["cooling"].is_number() && after["cooling"].get<double>() > 0) {
    flags.push_back("throttled: the system slows the processor because of its temperature");
  }
  if (before["stolen_ticks"].is_number() && after["stolen_ticks"].is_number()) {
    const double spent = after["ticks"].get<double>() - before["ticks"].get<double>();
    const double stolen = after["stolen_ticks"].get<double>() - before["stolen_ticks"].get<double>();
    if (spent > 0 && stolen > kStealLimit * spent) {
      warnings.push_back("the host took " + std::to_string(static_cast<int>(100 * stolen / spent)) +
                         " % of this machine's time");
    }
  }
  const std::string governor = after["governor"];
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

void print_table(const Subject& package, const Subject* baseline, const json& record, bool tokenizer_only) {
  const Samples& samples = package.samples();
  std::printf("%s, %s, %d thread%s, %s, %zu calls after %zu of warm-up\n", record["engine"].get<std::string>().c_str(),
              shown(package.runner().name()).c_str(), package.runner().threads(),
              package.runner().threads() == 1 ? "" : "s", record["mode"].get<std::string>().c_str(),
              samples.end_to_end.size(), package.warmup_calls());
  std::printf("%-12s %12.4f ms\n%-12s %12.4f ms\n", "load", package.load_ms(), "first", package.first_ms());
  print_row("end to end", samples.end_to_end);
  if (!tokenizer_only) {
    print_row("tokenizer", samples.tokenize);
    print_row("engine", samples.engine);
    print_row("decoding", samples.decode);
  }
  if (baseline != nullptr) {
    std::printf("baseline: %s\n", shown(baseline->runner().name()).c_str());
    print_row("end to end", baseline->samples().end_to_end);
    print_row("engine", baseline->samples().engine);
    std::printf("%-12s %12.2f times, engine time of the baseline / that of the package\n", "speed-up",
                percentile(baseline->samples().engine, 0.5) / percentile(samples.engine, 0.5));
  }
  if (record["peak_memory_mb"].is_number()) {
    std::printf("%-12s %12.2f MB\n", "peak memory", record["peak_memory_mb"].get<double>());
  }
  for (const json& flag : record["flags"]) {
    std::printf("does not count: %s\n", shown(flag.get<std::string>()).c_str());
  }
  for (const json& warning : record["warnings"]) {
    std::printf("warning: %s\n", shown(warning.get<std::string>()).c_str());
  }
}

// The texts in an order that depends on the seed.
std::vector<Input> ordered(const std::vector<Input>& texts, uint32_t seed) {
  std::vector<Input> found;
  for (const size_t number : shuffled(texts.size(), seed)) {
    found.push_back(texts[number]);
  }
  return found;
}

Timer steady_timer() {
  const Clock::time_point zero = Clock::now();
  return {[zero] { return ms(Clock::now() - zero); },
          [zero](double moment) {
            const std::chrono::duration<double, std::milli> pause(moment);
            std::this_thread::sleep_until(zero + std::chrono::duration_cast<Clock::duration>(pause));
          }};
}

void write_record(const std::string& path, const json& record) {
  std::ofstream file(path);
  file << json_text(record) << '\n';
  if (!file.flush()) {
    throw EnvironmentError(path + ": cannot be written");
  }
}

}  // namespace

int bench_command(const std::vector<std::string>& words) {
  std::set<std::string> options = engine_options();
  options.insert({"texts", "baseline", "mode", "rate", "seconds", "calls", "seed", "out", "only"});
  const Arguments arguments(words, {"json", "check", "memory"}, options);
  const edge_ptf::Options settings = read_options(arguments);
  const std::string package = package_among(arguments);
  const std::string mode = arguments.choice("mode", {"burst", "paced", "sustained"});
  const bool tokenizer_only = arguments.choice("only", {"all", "tokenizer"}) == "tokenizer";
  const Pace pace = {arguments.number("seconds", mode == "sustained" ? 60 : 2, 0, 86400),
                     static_cast<size_t>(arguments.whole("calls", 400, 1, 10'000'000)),
                     mode == "paced" ? arguments.number("rate", 10, 0.01, 1000) : 0};
  if (!arguments.has("texts")) {
    throw UsageError(
        "--texts FILE is needed: real texts, one a line (or JSON lines with \"text\"); - is the standard input");
  }
  if (arguments.has("rate") && mode != "paced") {
    throw UsageError("--rate needs --mode paced");
  }
  if (arguments.has("baseline") && (arguments.has("memory") || tokenizer_only)) {
    throw UsageError("--baseline measures whole answers; remove --memory and --only");
  }
  if (emulated()) {
    throw EnvironmentError("this program runs on an emulator, where latency has no meaning; measure on the device");
  }
  const auto seed = static_cast<uint32_t>(arguments.whole("seed", 0, 0, UINT32_MAX));
  const std::vector<Input> texts = ordered(read_texts(arguments.text("texts", "")), seed);

  const json before = environment();
  Subject subject(package, settings, texts, tokenizer_only);
  std::unique_ptr<Subject> baseline;
  if (arguments.has("baseline")) {
    edge_ptf::Options others = settings;
    others.engine_folder.reset();  // its engines are those of one package
    baseline = std::make_unique<Subject>(arguments.text("baseline", ""), others, texts, false);
  }
  std::vector<Call> packages;
  for (Subject* each : {&subject, baseline.get()}) {
    if (each != nullptr) {
      each->warm_up();
      packages.emplace_back([each](size_t number) { return each->call_and_keep(number); });
    }
  }
  take_turns(packages, pace, steady_timer());
  const double peak = peak_memory_mb();
  const json after = environment();
  const auto [flags, warnings] = judged(before, after, subject.samples());

  json record = {
      {"schema", kSchema},
      {"runner", edge_ptf_version()},
      {"engine", engine_used(settings)},
      {"machine", machine()},
      {"before", before},
      {"after", after},
      {"mode", mode},
      {"rate", pace.rate > 0 ? json(pace.rate) : json()},
      {"threads", subject.runner().threads()},
      {"baseline", baseline ? baseline->record() : json()},
      {"peak_memory_mb", arguments.has("memory") ? json(std::round(peak * 100) / 100) : json()},
      {"flags", flags},
      {"warnings", warnings},
  };
  record.update(subject.record());
  if (arguments.has("out")) {
    write_record(arguments.text("out", ""), record);
  }
  if (arguments.has("json")) {
    std::cout << json_text(record) << '\n';
  } else {
    print_table(subject, baseline.get(), record, tokenizer_only);
  }
  return EDGE_PTF_OK;
}
