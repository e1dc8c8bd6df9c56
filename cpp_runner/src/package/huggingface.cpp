#include "package/huggingface.h"

#include <nlohmann/json.hpp>
#include <unordered_set>

#include "package/golden.h"

namespace edge_ptf::core {
namespace {

using nlohmann::json;

const json* member(const json& value, const char* name) {
  const auto found = value.is_object() ? value.find(name) : value.end();
  return value.is_object() && found != value.end() ? &*found : nullptr;
}

// The ids of all tokens; empty: it is no tokenizer.
std::unordered_set<int64_t> token_ids(const json& document) {
  std::unordered_set<int64_t> found;
  const json* model = member(document, "model");
  const json* vocabulary = model == nullptr ? nullptr : member(*model, "vocab");
  if (vocabulary == nullptr || !vocabulary->is_structured() || vocabulary->empty()) {
    return found;
  }
  int64_t place = 0;
  for (const json& each : *vocabulary) {  // token → id, or a list of (token, score)
    found.insert(each.is_number_integer() ? each.get<int64_t>() : place);
    ++place;
  }
  if (const json* added = member(document, "added_tokens"); added != nullptr && added->is_array()) {
    for (const json& each : *added) {
      if (const json* id = member(each, "id"); id != nullptr && id->is_number_integer()) {
        found.insert(id->get<int64_t>());
      }
    }
  }
  return found;
}

}  // namespace

void check_huggingface(const Package& package) {
  const std::string& name = package.manifest().tokenizer.huggingface;
  const Content content = package.read(name, /*check=*/true);
  const std::unordered_set<int64_t> ids =
      token_ids(json::parse(content.bytes().text(), nullptr, /*allow_exceptions=*/false));
  if (ids.empty()) {
    refuse(in_quotes(name) + " is no tokenizer: it has no model with a vocabulary");
  }
  const Content golden = package.read(package.manifest().golden_file, /*check=*/true);
  size_t number = 0;
  for_each_line(golden.bytes().text(), [&](std::string_view line) {
    const std::string place = "golden text " + std::to_string(++number);
    for (const int64_t id : parse_golden(line, place).ids) {
      if (ids.count(id) == 0) {
        fail(place + " has the token id " + std::to_string(id) + ", which " + in_quotes(name) + " does not have");
      }
    }
  });
}

}  // namespace edge_ptf::core
