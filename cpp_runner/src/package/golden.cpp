#include "package/golden.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "error.h"

namespace edge_ptf::core {
namespace {

using nlohmann::json;

// Appends the values of a nested list. The first list of each depth sets the size of that axis.
bool append(const json& value, size_t depth, GoldenTensor& tensor) {
  if (value.is_number()) {
    tensor.values.push_back(value.get<double>());
    return depth == tensor.shape.size();
  }
  if (!value.is_array() || value.empty() || depth == kMostAxes) {
    return false;
  }
  if (depth == tensor.shape.size() && tensor.values.empty()) {
    tensor.shape.push_back(value.size());
  }
  return depth < tensor.shape.size() && tensor.shape[depth] == value.size() &&
         std::all_of(value.begin(), value.end(), [&](const json& each) { return append(each, depth + 1, tensor); });
}

GoldenAnswer answer(const std::string& head, const json& value) {
  GoldenAnswer found{head, value.is_array(), value.is_number() && std::isfinite(value.get<double>()), std::nullopt};
  if (value.is_string()) {
    found.labels = {value.get<std::string>()};
  } else if (value.is_array() &&
             std::all_of(value.begin(), value.end(), [](const json& each) { return each.is_string(); })) {
    found.labels = value.get<std::vector<std::string>>();
  }
  return found;
}

}  // namespace

GoldenCase parse_golden(std::string_view line, const std::string& place) {
  const json content = json::parse(line, nullptr, /*allow_exceptions=*/false);
  GoldenCase found;
  bool sound = true;
  try {
    found.text = content.at("text").get<std::string>();
    if (const auto pair = content.find("text_pair"); pair != content.end() && !pair->is_null()) {
      found.pair = pair->get<std::string>();
    }
    found.ids = content.at("input_ids").get<std::vector<int64_t>>();
    if (const auto types = content.find("token_type_ids"); types != content.end() && !types->is_null()) {
      found.types = types->get<std::vector<int64_t>>();
    }
    if (const auto windows = content.find("windows"); windows != content.end()) {
      found.windows = windows->get<std::vector<size_t>>();
    }
    if (const auto tolerance = content.find("tolerance"); tolerance != content.end() && !tolerance->is_null()) {
      found.tolerance = tolerance->get<double>();
    }
    const json& outputs = content.at("outputs");
    sound = outputs.is_object() && !outputs.empty();
    for (const auto& [name, value] : outputs.items()) {
      found.outputs.push_back({name, {}, {}});
      sound = sound && value.is_array() && append(value, 0, found.outputs.back());
    }
    if (const auto answers = content.find("answers"); answers != content.end()) {
      sound = sound && answers->is_object();
      for (const auto& [head, value] : answers->items()) {
        found.answers.push_back(answer(head, value));
      }
    }
  } catch (const json::exception&) {
    sound = false;
  }
  if (!sound || (found.types && found.types->size() != found.ids.size())) {
    refuse(place + " is damaged");
  }
  return found;
}

double difference(const GoldenCase& expected, const Tensor& found, const std::string& place) {
  const auto wanted = std::find_if(expected.outputs.begin(), expected.outputs.end(),
                                   [&](const GoldenTensor& each) { return each.name == found.name; });
  if (wanted == expected.outputs.end()) {
    fail(place + " has no output " + in_quotes(found.name));
  }
  if (!std::equal(wanted->shape.begin(), wanted->shape.end(), found.shape.begin(), found.shape.begin() + found.rank)) {
    fail(place + ": the output " + in_quotes(found.name) + " has another shape");
  }
  double largest = 1e-6;
  double apart = 0;
  for (size_t i = 0; i < wanted->values.size(); ++i) {
    const double gap = std::abs(wanted->values[i] - double{found.values[i]});
    if (std::isnan(gap)) {
      return gap;
    }
    largest = std::max(largest, std::abs(wanted->values[i]));
    apart = std::max(apart, gap);
  }
  return apart / largest;
}

}  // namespace edge_ptf::core
