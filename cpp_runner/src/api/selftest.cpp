#include <algorithm>
#include <cmath>

#include "api/runner.h"
#include "package/golden.h"

namespace edge_ptf::core {
namespace {

// The answers are labels of the heads: one, a list where a head answers with a list, a number where it answers with a
// number, or parts of a text where it answers with such.
void check_answers(const std::vector<const Head*>& heads, const GoldenCase& expected, const std::string& place) {
  for (const GoldenAnswer& answer : expected.answers) {
    const auto head =
        std::find_if(heads.begin(), heads.end(), [&](const Head* each) { return each->spec().name == answer.head; });
    if (head == heads.end()) {
      fail(place + " has an answer of " + in_quotes(answer.head) + ", which is no head of the package");
    }
    if ((*head)->answers_with_text()) {
      if (!answer.labels || !answer.is_list) {
        fail(place + ": an answer of " + in_quotes(answer.head) + " is no list of texts");
      }
      continue;
    }
    if ((*head)->answers_a_number()) {
      if (!answer.is_number) {
        fail(place + ": an answer of " + in_quotes(answer.head) + " is no number");
      }
      continue;
    }
    const std::vector<std::string>& labels = (*head)->spec().labels;
    const auto is_label = [&](const std::string& label) {
      return std::find(labels.begin(), labels.end(), label) != labels.end();
    };
    if (!answer.labels || answer.is_list != (*head)->answers_a_list() ||
        !std::all_of(answer.labels->begin(), answer.labels->end(), is_label)) {
      fail(place + ": an answer of " + in_quotes(answer.head) + " is no label of that head");
    }
  }
}

}  // namespace

SelftestReport Runner::selftest() const {
  const Content content = package_->read(manifest().golden_file, /*check=*/true);
  SelftestReport report;
  report.exact =
      std::all_of(graphs_.begin(), graphs_.end(), [](const GraphRun& each) { return each.engine->is_exact(); });
  std::vector<const Head*> heads;
  for (const HeadRun& each : heads_) {
    heads.push_back(each.head.get());
  }
  Result result;
  prepare(result);
  for_each_line(content.bytes().text(), [&](std::string_view line) {
    const std::string place = "golden text " + std::to_string(++report.golden);
    const GoldenCase expected = parse_golden(line, place);
    check_answers(heads, expected, place);
    if (has_tokenizer()) {
      const std::string_view pair = expected.pair ? std::string_view(*expected.pair) : std::string_view();
      predict(expected.text, expected.pair ? &pair : nullptr, result);
      if (result.encoding.ids != expected.ids || (expected.types && result.encoding.types != *expected.types)) {
        fail(place + " has other tokens here");
      }
    } else {
      predict_ids(expected.ids.data(), expected.types ? expected.types->data() : nullptr, expected.ids.size(), result,
                  expected.windows);
    }
    const double allowed = expected.tolerance.value_or(manifest().golden_tolerance);
    for (const Result::GraphMemory& graph : result.graphs) {
      for (const Tensor& output : graph.outputs) {
        const double apart = difference(expected, output, place);
        if (report.exact && !(apart <= allowed)) {
          fail(place + ": the output " + in_quotes(output.name) + " is off by " + std::to_string(100 * apart) +
               " % of its largest value (allowed: " + std::to_string(100 * allowed) + " %)");
        }
        // Also true for NaN, and for the first output.
        if (report.tolerance == 0 || !(apart <= report.largest_difference)) {
          report.largest_difference = apart;
          report.tolerance = allowed;
        }
      }
    }
  });
  if (report.golden == 0) {
    fail("there are no golden vectors");
  }
  if (report.golden != manifest().golden_count) {
    fail(std::to_string(report.golden) + " golden vectors, not " + std::to_string(manifest().golden_count));
  }
  return report;
}

}  // namespace edge_ptf::core
