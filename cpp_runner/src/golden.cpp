// The golden vectors of a package (docs/package.md section 7), and what this processor can be judged by.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "runner.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace edge_ptf {
namespace {

using nlohmann::json;

struct GoldenCase {
  std::string text;
  std::optional<std::string> pair;
  std::vector<int64_t> ids;
  std::optional<std::vector<int64_t>> types;
  std::vector<std::vector<double>> logits;
  std::optional<double> tolerance;  // of this text; otherwise the manifest's
};

GoldenCase parse_case(std::string_view line, const std::string& place) {
  const json content = json::parse(line, nullptr, /*allow_exceptions=*/false);
  GoldenCase found;
  try {
    found.text = content.at("text").get<std::string>();
    if (const auto pair = content.find("text_pair"); pair != content.end() && !pair->is_null()) {
      found.pair = pair->get<std::string>();
    }
    found.ids = content.at("input_ids").get<std::vector<int64_t>>();
    if (const auto types = content.find("token_type_ids"); types != content.end() && !types->is_null()) {
      found.types = types->get<std::vector<int64_t>>();
    }
    found.logits = content.at("logits").get<std::vector<std::vector<double>>>();
    if (const auto tolerance = content.find("tolerance"); tolerance != content.end() && !tolerance->is_null()) {
      found.tolerance = tolerance->get<double>();
    }
  } catch (const json::exception&) {
    refuse(place + " is damaged");
  }
  const bool typed = !found.types || found.types->size() == found.ids.size();
  if (!typed || found.logits.empty()) {
    refuse(place + " is damaged");
  }
  return found;
}

double difference(const GoldenCase& wanted, const Logits& found, const std::string& place) {
  double largest = 1e-6;
  double apart = 0;
  if (wanted.logits.size() != found.rows) {
    fail(place + ": the logits are of another shape");
  }
  for (size_t row = 0; row < found.rows; ++row) {
    if (wanted.logits[row].size() != found.columns) {
      fail(place + ": the logits are of another shape");
    }
    for (size_t column = 0; column < found.columns; ++column) {
      const double value = wanted.logits[row][column];
      const double gap = std::abs(value - double{found.values[row * found.columns + column]});
      if (std::isnan(gap)) {
        return gap;  // no answer, and within no tolerance
      }
      largest = std::max(largest, std::abs(value));
      apart = std::max(apart, gap);
    }
  }
  return apart / largest;
}

#if defined(__x86_64__)
bool has_vnni() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) {
    return false;
  }
  constexpr unsigned kAvx512Vnni = 1U << 11;
  constexpr unsigned kAmxInt8 = 1U << 25;
  constexpr unsigned kAvxVnni = 1U << 4;
  if ((ecx & kAvx512Vnni) != 0 || (edx & kAmxInt8) != 0) {
    return true;
  }
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & kAvxVnni) != 0;
}
#endif

}  // namespace

bool executes_exactly(const Scheme& scheme) {
#if defined(__x86_64__)
  const bool eight_bits = scheme.activation == "uint8" || scheme.activation == "int8";
  return scheme.precision == "fp32" || scheme.reduce_range || scheme.weight != "int8" || !eight_bits || has_vnni();
#else
  (void)scheme;
  return true;
#endif
}

GoldenReport Runner::selftest() const {
  const Content content = package_->read(manifest().golden_file, /*check=*/true);
  std::string_view rest = content.bytes().text();
  GoldenReport report;
  report.exact = executes_exactly(manifest().graph().scheme);
  Result result;
  prepare(result);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string place = "golden text " + std::to_string(++report.count);
    const GoldenCase wanted = parse_case(rest.substr(0, end), place);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (has_tokenizer()) {
      const std::string_view pair = wanted.pair ? std::string_view(*wanted.pair) : std::string_view();
      predict(wanted.text, wanted.pair ? &pair : nullptr, result);
      if (result.encoding.ids != wanted.ids || (wanted.types && result.encoding.types != *wanted.types)) {
        fail(place + " is cut into other tokens here");
      }
    } else {
      predict_ids(wanted.ids.data(), wanted.types ? wanted.types->data() : nullptr, wanted.ids.size(), result);
    }
    const double apart = difference(wanted, result.logits, place);
    const double allowed = wanted.tolerance.value_or(manifest().golden_tolerance);
    if (report.exact && !(apart <= allowed)) {
      fail(place + ": a logit is off by " + std::to_string(100 * apart) +
           " % of the largest (allowed: " + std::to_string(100 * allowed) + " %)");
    }
    if (report.count == 1 || !(apart <= report.largest_difference)) {
      report.largest_difference = apart;
      report.tolerance = allowed;
    }
  }
  if (report.count != manifest().golden_count) {
    fail(std::to_string(report.count) + " golden vectors, not " + std::to_string(manifest().golden_count));
  }
  return report;
}

}  // namespace edge_ptf
