#include "engines/onnx_check.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "engines/onnx_operators.h"
#include "engines/onnx_reader.h"

namespace edge_ptf::core {
namespace {

// Values that a constant size may ask for, and that a graph may compute from its constants beyond kPerWeight.
constexpr uint64_t kMostSize = 1 << 24;
// Values computed from constants, for each value of the weights: they are dequantized, cast and transposed.
constexpr uint64_t kPerWeight = 4;
constexpr std::string_view kKeepsValues[] = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"};
constexpr std::string_view kKeepsShape[] = {"Cast", "DequantizeLinear", "Identity", "QuantizeLinear"};

using Shape = std::vector<uint64_t>;
using Integers = std::vector<int64_t>;

// A tensor that no text changes: at most how many values, its shape and integers if they are known.
struct Constant {
  uint64_t count = 0;
  std::optional<Shape> shape;
  std::optional<Integers> values;
};

using Known = std::optional<Constant>;  // empty: it depends on the text

template <typename List>
bool has(const List& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

bool is_allowed(const OnnxNode& node) {
  if (node.domain == "com.microsoft") {
    return has(kMicrosoft, node.op);
  }
  return (node.domain.empty() || node.domain == "ai.onnx") &&
         (has(kSameSize, node.op) || has(kBroadcast, node.op) || has(kSized, node.op) || has(kOthers, node.op));
}

Shape joined_shape(const std::vector<const Shape*>& shapes) {
  Shape joined;
  for (const Shape* shape : shapes) {
    joined.insert(joined.begin(), shape->size() > joined.size() ? shape->size() - joined.size() : 0, 1);
    for (size_t back = 1; back <= shape->size(); ++back) {
      joined[joined.size() - back] = std::max(joined[joined.size() - back], (*shape)[shape->size() - back]);
    }
  }
  return joined;
}

uint64_t product(const Shape& shape) {
  uint64_t count = 1;
  for (const uint64_t size : shape) {
    count = limited_product(count, size);
  }
  return count;
}

bool is_large(int64_t value) {
  constexpr auto kLimit = static_cast<int64_t>(kLargestCount);
  return value >= kLimit || value <= -kLimit;
}

// One value of a sum, difference, product or quotient; empty: it is too large.
std::optional<int64_t> value_of(std::string_view op, int64_t a, int64_t b) {
  if (is_large(a) || is_large(b) || (op == "Div" && b == 0)) {
    return std::nullopt;
  }
  const auto size = [](int64_t value) { return static_cast<uint64_t>(value < 0 ? -value : value); };
  if (op == "Mul" && limited_product(size(a), size(b)) == kLargestCount) {
    return std::nullopt;
  }
  const int64_t value = op == "Add" ? a + b : op == "Sub" ? a - b : op == "Mul" ? a * b : a / b;
  return is_large(value) ? std::nullopt : std::optional(value);
}

std::optional<Integers> arithmetic(std::string_view op, const std::vector<const Constant*>& given) {
  constexpr std::string_view kArithmetic[] = {"Add", "Sub", "Mul", "Div"};
  if (given.size() != 2 || !has(kArithmetic, op) || !given[0]->values || !given[1]->values) {
    return std::nullopt;
  }
  const Integers& left = *given[0]->values;
  const Integers& right = *given[1]->values;
  if (left.empty() || right.empty() || (left.size() != right.size() && left.size() != 1 && right.size() != 1)) {
    return std::nullopt;
  }
  Integers found;
  for (size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    const auto value = value_of(op, left[i % left.size()], right[i % right.size()]);
    if (!value) {
      return std::nullopt;
    }
    found.push_back(*value);
  }
  return found;
}

Constant broadcast(std::string_view op, const std::vector<const Constant*>& given) {
  std::vector<const Shape*> shapes;
  uint64_t count = 1;
  for (const Constant* each : given) {
    if (each->shape) {
      shapes.push_back(&*each->shape);
    }
    count = limited_product(count, std::max<uint64_t>(each->count, 1));
  }
  if (shapes.size() == given.size()) {
    Shape shape = joined_shape(shapes);
    const uint64_t size = product(shape);
    return {size, std::move(shape), arithmetic(op, given)};
  }
  return {count, std::nullopt, arithmetic(op, given)};
}

// The output of an operator whose size is a value, if the size is constant.
Known sized(const OnnxNode& node, const std::vector<const Known*>& inputs) {
  const bool is_range = node.op == "Range";
  const size_t first = node.op == "ConstantOfShape" || is_range ? 0 : 1;
  const size_t last = is_range ? inputs.size() : first + 1;
  if (inputs.empty() || last > inputs.size() ||
      std::any_of(inputs.begin() + static_cast<ptrdiff_t>(first), inputs.begin() + static_cast<ptrdiff_t>(last),
                  [](const Known* each) { return !*each; })) {
    return std::nullopt;
  }
  Integers known;
  bool readable = true;
  for (size_t i = first; i < last; ++i) {
    const std::optional<Integers>& values = (*inputs[i])->values;
    readable = readable && values;
    if (values) {
      known.insert(known.end(), values->begin(), values->end());
    }
  }
  if (!readable || std::any_of(known.begin(), known.end(), is_large) ||
      (is_range && (known.size() != 3 || known[2] == 0))) {
    refuse("the operator " + in_quotes(node.op) + " has a constant size that cannot be read");
  }
  uint64_t size = 1;
  Shape shape;
  if (is_range) {
    const int64_t way = known[1] - known[0];
    const int64_t steps = way / known[2] + (way % known[2] != 0 && (way < 0) == (known[2] < 0) ? 1 : 0);
    size = static_cast<uint64_t>(std::max<int64_t>(steps, 0));
  } else {
    std::transform(known.begin(), known.end(), std::back_inserter(shape),
                   [](int64_t value) { return static_cast<uint64_t>(std::max<int64_t>(value, 1)); });
    size = product(shape);
  }
  const Known* data = node.op == "Expand" || node.op == "Tile" ? inputs[0] : nullptr;
  if (data != nullptr && *data) {
    const bool joins = node.op == "Expand" && (*data)->shape;
    size = joins ? product(joined_shape({&*(*data)->shape, &shape}))
                 : limited_product(size, std::max<uint64_t>((*data)->count, 1));
  }
  if (size > kMostSize) {
    refuse("the operator " + in_quotes(node.op) + " makes a tensor of more than 16,777,216 values");
  }
  return Constant{size, std::nullopt, std::nullopt};
}

Constant constant_node(const OnnxNode& node) {
  if (node.tensor) {
    return {node.tensor->count, node.tensor->shape, node.tensor->values};
  }
  for (const char* name : {"value_int", "value_ints"}) {
    if (const auto found = node.ints.find(name); found != node.ints.end()) {
      const bool is_small = found->second.size() <= kMostConstantValues;
      return {found->second.size(), std::nullopt, is_small ? std::optional(found->second) : std::nullopt};
    }
  }
  return {kMostConstantValues, std::nullopt, std::nullopt};
}

Constant shape_node(const OnnxNode& node, const Constant& first) {
  Constant found{kMostConstantValues, std::nullopt, std::nullopt};
  if (first.shape && !first.shape->empty() && first.shape->size() <= kMostConstantValues && node.ints.empty()) {
    found.values.emplace(first.shape->begin(), first.shape->end());
  }
  return found;
}

Constant concat_node(const std::vector<const Constant*>& given) {
  Constant found{0, std::nullopt, Integers()};
  for (const Constant* each : given) {
    found.count = std::min(found.count + each->count, kLargestCount);
    if (found.values && each->values && found.values->size() + each->values->size() <= kMostConstantValues) {
      found.values->insert(found.values->end(), each->values->begin(), each->values->end());
    } else {
      found.values.reset();
    }
  }
  return found;
}

// What is known of the outputs of an operator.
Known computed(const OnnxNode& node, const std::vector<const Known*>& inputs) {
  const bool is_plain = node.domain != "com.microsoft";
  Known size = is_plain && has(kSized, node.op) ? sized(node, inputs) : std::nullopt;
  std::vector<const Constant*> given;
  for (const Known* each : inputs) {
    if (!*each) {
      return std::nullopt;
    }
    given.push_back(&**each);
  }
  if (size) {
    return size;
  }
  if (node.op == "Constant") {
    return constant_node(node);
  }
  const Constant none;
  const Constant& first = given.empty() ? none : *given.front();
  if (node.op == "Shape") {
    return shape_node(node, first);
  }
  if (node.op == "Concat") {
    return concat_node(given);
  }
  if (has(kSameSize, node.op)) {
    return Constant{first.count, has(kKeepsShape, node.op) ? first.shape : std::nullopt,
                    has(kKeepsValues, node.op) ? first.values : std::nullopt};
  }
  if (has(kBroadcast, node.op)) {
    return broadcast(node.op, given);
  }
  Constant found{1, std::nullopt, std::nullopt};
  for (const Constant* each : given) {
    found.count = limited_product(found.count, std::max<uint64_t>(each->count, 1));
  }
  return found;
}

class Checker {
 public:
  explicit Checker(const OnnxModel& model) {
    for (const std::string& name : model.inputs) {
      known_[name] = std::nullopt;
    }
    std::unordered_set<std::string> names;
    for (const OnnxTensor& tensor : model.initializers) {
      if (!names.insert(tensor.name).second) {
        refuse("the graph has two tensors " + in_quotes(tensor.name));
      }
      known_[tensor.name] = Constant{tensor.count, tensor.shape, tensor.values};
      budget_ = std::min(budget_ + kPerWeight * std::min(tensor.count, kLargestCount / 8), kLargestCount);
    }
  }

  void add(const OnnxNode& node) {
    if (!is_allowed(node)) {
      refuse("the graph has the operator " + in_quotes(node.op) +
             (node.domain.empty() ? "" : " of the domain " + in_quotes(node.domain)) +
             ", which is not allowed in a package");
    }
    std::vector<const Known*> inputs;
    for (const std::string& name : node.inputs) {
      const auto found = known_.find(name);
      if (!name.empty() && found == known_.end()) {
        refuse("the operator " + in_quotes(node.op) + " reads " + in_quotes(name) +
               ", which no earlier operator writes");
      }
      inputs.push_back(name.empty() ? &absent_ : &found->second);
    }
    const Known result = computed(node, inputs);
    for (const std::string& name : node.outputs) {
      if (name.empty()) {
        continue;
      }
      if (!known_.emplace(name, result).second) {
        refuse("the graph writes " + in_quotes(name) + " twice");
      }
      const uint64_t count = result && node.op != "Constant" ? result->count : 0;
      if (count > budget_) {
        refuse("the operator " + in_quotes(node.op) + " makes the constant parts of the graph too large");
      }
      budget_ -= count;
    }
  }

 private:
  uint64_t budget_ = kMostSize;
  const Known absent_ = Constant{};  // an optional input that is left out
  std::unordered_map<std::string, Known> known_;
};

}  // namespace

void check_onnx(Bytes model) {
  const OnnxModel found = read_onnx(model);
  Checker checker(found);
  for (const OnnxNode& node : found.nodes) {
    checker.add(node);
  }
}

}  // namespace edge_ptf::core
