#include <algorithm>
#include <cmath>

#include "api/runner.h"
#include "package/golden.h"

namespace edge_ptf::core {

SelftestReport Runner::selftest() const {
  const Content content = package_->read(manifest().golden_file, /*check=*/true);
  std::string_view rest = content.bytes().text();
  SelftestReport report;
  report.exact =
      std::all_of(graphs_.begin(), graphs_.end(), [](const GraphRun& each) { return each.engine->is_exact(); });
  Result result;
  prepare(result);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string place = "golden text " + std::to_string(++report.golden);
    const GoldenCase expected = parse_golden(rest.substr(0, end), place);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (has_tokenizer()) {
      const std::string_view pair = expected.pair ? std::string_view(*expected.pair) : std::string_view();
      predict(expected.text, expected.pair ? &pair : nullptr, result);
      if (result.encoding.ids != expected.ids || (expected.types && result.encoding.types != *expected.types)) {
        fail(place + " has other tokens here");
      }
    } else {
      predict_ids(expected.ids.data(), expected.types ? expected.types->data() : nullptr, expected.ids.size(), result);
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
  }
  if (report.golden != manifest().golden_count) {
    fail(std::to_string(report.golden) + " golden vectors, not " + std::to_string(manifest().golden_count));
  }
  return report;
}

}  // namespace edge_ptf::core
