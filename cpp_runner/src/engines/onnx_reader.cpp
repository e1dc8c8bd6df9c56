#include "engines/onnx_reader.h"

#include <algorithm>
#include <initializer_list>
#include <set>

namespace edge_ptf::core {
namespace {

constexpr size_t kMostNodes = 20'000;
constexpr size_t kMostTensors = 20'000;
constexpr size_t kMostRank = 16;
constexpr size_t kMostAttributeInts = 1 << 16;
constexpr int64_t kInt32 = 6;
constexpr int64_t kInt64 = 7;
// Types of tensors: floating point, integers of 4 to 64 bits, truth values.
constexpr int64_t kNumbers[] = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16, 21, 22};

enum Wire : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// A set of field numbers below 64: bit n stands for n.
constexpr uint64_t mask_of(std::initializer_list<unsigned> numbers) {
  uint64_t found = 0;
  for (const unsigned number : numbers) {
    found |= uint64_t{1} << number;
  }
  return found;
}

constexpr bool contains(uint64_t numbers, uint64_t number) {
  return number < 64 && (numbers >> number & 1) != 0;
}

// The fields of a kind of message. Known fields that are not used are skipped, all others are refused.
struct Message {
  const char* name;
  uint64_t once, repeated;
};

constexpr Message kModel{"model", mask_of({1, 2, 3, 4, 5, 6, 7}), mask_of({8, 14})};
constexpr Message kGraph{"graph", mask_of({2, 10}), mask_of({1, 5, 11, 12, 13, 14, 16})};
constexpr Message kNode{"node", mask_of({3, 4, 6, 7}), mask_of({1, 2, 5, 9})};
constexpr Message kAttribute{"attribute", mask_of({1, 2, 3, 4, 5, 13, 20}), mask_of({7, 8, 9})};
constexpr Message kTensor{"tensor", mask_of({2, 4, 5, 7, 8, 9, 10, 11, 12, 14}), mask_of({1, 16})};
constexpr Message kInput{"input", mask_of({1, 2, 3}), mask_of({4})};

// Why a field is refused, where more can be said than its number.
struct Reason {
  std::string_view message;
  uint64_t field;
  const char* text;
};
constexpr Reason kReasons[] = {
    {"model", 20, "has training information"},
    {"model", 25, "has functions of its own"},
    {"graph", 15, "has sparse weights"},
    {"attribute", 6, "has a graph inside an operator"},
    {"attribute", 11, "has a graph inside an operator"},
    {"attribute", 10, "has a list of tensors in an operator"},
    {"attribute", 22, "has sparse weights"},
    {"attribute", 23, "has sparse weights"},
    {"tensor", 3, "has weights in segments"},
    {"tensor", 6, "has texts as weights"},
    {"tensor", 13, "keeps weights outside the package"},
};

[[noreturn]] void no_model(const std::string& more = "") {
  refuse("the file is no ONNX model" + more);
}

uint64_t varint(Bytes content, size_t& at) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 70 && at < content.size; shift += 7) {
    const uint64_t byte = content.data[at++];
    if (shift == 63 && byte > 1) {
      break;
    }
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) {
      return value;
    }
  }
  no_model();
}

struct Value {
  Wire wire = kVarint;
  uint64_t number = 0;
  Bytes content;

  int64_t whole() const {
    if (wire != kVarint) {
      no_model();
    }
    return static_cast<int64_t>(number);
  }
  Bytes bytes() const {
    if (wire == kVarint) {
      no_model();
    }
    return content;
  }
  std::string text() const { return std::string(bytes().text()); }
};

// The fields of one message, one after the other.
class Fields {
 public:
  Fields(Bytes content, const Message& message) : content_(content), message_(message) {}

  bool next() {
    if (at_ == content_.size) {
      return false;
    }
    const uint64_t key = varint(content_, at_);
    number = key >> 3;
    value.wire = static_cast<Wire>(key & 7);
    check();
    if (value.wire == kVarint) {
      value.number = varint(content_, at_);
      return true;
    }
    if (value.wire != kBytes && value.wire != kFixed32 && value.wire != kFixed64) {
      no_model();
    }
    const uint64_t length = value.wire == kBytes ? varint(content_, at_) : value.wire == kFixed32 ? 4 : 8;
    if (length > content_.size - at_) {
      no_model();
    }
    value.content = content_.part(at_, length, "the ONNX model");
    at_ += length;
    return true;
  }

  uint64_t number = 0;
  Value value;

 private:
  void check() {
    const std::string name = message_.name;
    const std::string place = name + ", field " + std::to_string(number);
    if (contains(message_.repeated, number)) {
      return;
    }
    if (!contains(message_.once, number)) {
      for (const Reason& reason : kReasons) {
        if (reason.message == name && reason.field == number) {
          refuse(std::string("the graph ") + reason.text);
        }
      }
      if (&message_ == &kModel) {
        no_model(" (field " + std::to_string(number) + ")");
      }
      refuse("the graph has a part that is not allowed (" + place + ")");
    }
    if (!seen_.insert(number).second) {
      no_model(" that can be read in one way (" + place + " twice)");
    }
  }

  Bytes content_;
  const Message& message_;
  size_t at_ = 0;
  std::set<uint64_t> seen_;
};

// Appends a number, or a packed list of numbers.
void append(const Value& value, size_t most, std::vector<int64_t>& out) {
  if (value.wire == kVarint) {
    out.push_back(value.whole());
  } else {
    for (size_t at = 0; at < value.content.size;) {
      out.push_back(static_cast<int64_t>(varint(value.content, at)));
      if (out.size() > most) {
        break;
      }
    }
  }
  if (out.size() > most) {
    no_model(": a list is too long");
  }
}

template <typename Integer>
std::vector<int64_t> raw_integers(Bytes content) {
  std::vector<int64_t> found;
  for (size_t at = 0; at + sizeof(Integer) <= content.size; at += sizeof(Integer)) {
    found.push_back(content.number<Integer>(at, "a tensor"));
  }
  return found;
}

using Data = std::vector<std::pair<uint64_t, Value>>;

// The integers of a small tensor; empty: it has none.
std::optional<std::vector<int64_t>> integers(int64_t kind, const Data& data) {
  if ((kind != kInt32 && kind != kInt64) || data.size() > 1) {
    return std::nullopt;
  }
  std::vector<int64_t> found;
  if (data.empty()) {
    return found;
  }
  const auto& [number, value] = data.front();
  if (number == 9) {
    return kind == kInt32 ? raw_integers<int32_t>(value.content) : raw_integers<int64_t>(value.content);
  }
  if (number != (kind == kInt32 ? 5 : 7)) {
    return std::nullopt;
  }
  append(value, kMostConstantValues, found);
  return found;
}

OnnxTensor tensor(Bytes content) {
  OnnxTensor found;
  std::vector<int64_t> shape;
  int64_t kind = 0;
  int64_t place = 0;
  Data data;
  for (Fields fields(content, kTensor); fields.next();) {
    switch (fields.number) {
      case 1: append(fields.value, kMostRank, shape); break;
      case 2: kind = fields.value.whole(); break;
      case 8: found.name = fields.value.text(); break;
      case 12:
      case 16: break;
      case 14: place = fields.value.whole(); break;
      default: fields.value.bytes(); data.emplace_back(fields.number, fields.value);
    }
  }
  if (place != 0) {
    refuse("the graph keeps weights outside the package");
  }
  if (std::find(std::begin(kNumbers), std::end(kNumbers), kind) == std::end(kNumbers)) {
    refuse("the tensor " + in_quotes(found.name) + " has the type " + std::to_string(kind) + ", which is not allowed");
  }
  for (const int64_t size : shape) {
    found.shape.push_back(static_cast<uint64_t>(size));
    found.count = limited_product(found.count, size < 0 ? kLargestCount : found.shape.back());
  }
  if (std::any_of(shape.begin(), shape.end(), [](int64_t size) { return size < 0; }) ||
      found.count > 2 * content.size) {
    refuse("the tensor " + in_quotes(found.name) + " has not as many values as its shape says");
  }
  if (found.count <= kMostConstantValues) {
    found.values = integers(kind, data);
  }
  return found;
}

void read_attribute(Bytes content, OnnxNode& node) {
  std::string name;
  std::vector<int64_t> found;
  for (Fields fields(content, kAttribute); fields.next();) {
    if (fields.number == 1) {
      name = fields.value.text();
    } else if (fields.number == 3) {
      found.push_back(fields.value.whole());
    } else if (fields.number == 8) {
      append(fields.value, kMostAttributeInts, found);
    } else if (fields.number == 5) {
      if (node.tensor) {
        refuse("the operator " + in_quotes(node.op) + " has two tensors");
      }
      node.tensor = tensor(fields.value.bytes());
    }
  }
  if (!found.empty()) {
    node.ints[name] = std::move(found);
  }
}

OnnxNode node(Bytes content) {
  OnnxNode found;
  for (Fields fields(content, kNode); fields.next();) {
    switch (fields.number) {
      case 1: found.inputs.push_back(fields.value.text()); break;
      case 2: found.outputs.push_back(fields.value.text()); break;
      case 3: found.name = fields.value.text(); break;
      case 4: found.op = fields.value.text(); break;
      case 5: read_attribute(fields.value.bytes(), found); break;
      case 7: found.domain = fields.value.text(); break;
      default: break;
    }
  }
  return found;
}

std::string input_name(Bytes content) {
  std::string name;
  for (Fields fields(content, kInput); fields.next();) {
    if (fields.number == 1) {
      name = fields.value.text();
    }
  }
  return name;
}

void read_graph(Bytes content, OnnxModel& model) {
  for (Fields fields(content, kGraph); fields.next();) {
    if (fields.number == 1) {
      model.nodes.push_back(node(fields.value.bytes()));
    } else if (fields.number == 5) {
      model.initializers.push_back(tensor(fields.value.bytes()));
    } else if (fields.number == 11) {
      model.inputs.push_back(input_name(fields.value.bytes()));
    }
    if (model.nodes.size() > kMostNodes || model.initializers.size() > kMostTensors) {
      refuse("the graph has more than 20,000 operators or 20,000 tensors");
    }
  }
}

}  // namespace

OnnxModel read_onnx(Bytes content) {
  OnnxModel model;
  bool has_graph = false;
  for (Fields fields(content, kModel); fields.next();) {
    if (fields.number == 7) {
      has_graph = true;
      read_graph(fields.value.bytes(), model);
    }
  }
  if (!has_graph) {
    no_model();
  }
  return model;
}

}  // namespace edge_ptf::core
