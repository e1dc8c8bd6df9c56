// A folder of `edge-ptf build-engine` with an engine of the FAKE of TensorRT (fake_tensorrt/fake.h).
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engines/engine.h"
#include "fake_tensorrt/fake.h"
#include "sha256.h"

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "edge-ptf-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

  void write(const std::string& name, const std::string& content) const {
    std::ofstream(file(name), std::ios::binary) << content;
  }

 private:
  std::string path_;
};

inline std::string digest_of(const std::string& content) {
  return edge_ptf::core::sha256({content.data(), content.size()});
}

inline nlohmann::json tensor_of(const char* name, const char* mode, const char* type, const std::vector<int>& shape) {
  return {{"name", name}, {"mode", mode}, {"type", type}, {"shape", shape}};
}

// Everything that a test may change before write() and open(). As it is, the engine fits.
struct BuiltEngine {
  Folder folder;
  std::string model = "the bytes of a graph";
  nlohmann::json engine = {{"fake", "TensorRT"}, {"profiles", {{1, 8}, {9, 16}, {17, 32}}}};
  nlohmann::json key;
  edge_ptf::core::Graph graph;
  edge_ptf::core::EngineOptions options;

  BuiltEngine() {
    fake_tensorrt::reset();
    engine["tensors"] = {tensor_of("input_ids", "input", "int64", {-1, -1}),
                         tensor_of("attention_mask", "input", "int64", {-1, -1}),
                         tensor_of("logits", "output", "float32", {-1, 3})};
    graph.name = "main";
    graph.format = "onnx";
    graph.inputs = {{"input_ids", "int64", {}}, {"attention_mask", "int64", {}}};
    options.payload = std::string(64, 'a');
    options.max_length = 32;
    options.outputs = {{"logits", {3}}};
    options.accelerator.engine_folder = folder.path();
    key = {{"schema_version", 1},      {"payload", options.payload}, {"graph", digest_of(model)},
           {"library", "tensorrt"},    {"version", "10.3.0"},        {"gpu", "Fake Orin"},
           {"compute_capability", 87}, {"lengths", {8, 16, 32}},     {"sha256", ""}};
  }

  std::string path() const { return folder.file("main.sm87.engine"); }

  void write() {
    const std::string content = engine.dump();
    folder.write("main.sm87.engine", content);
    key["sha256"] = digest_of(content);
    folder.write("main.sm87.json", key.dump());
  }

  std::unique_ptr<edge_ptf::core::Engine> open() const {
    const edge_ptf::core::EngineKind& kind = edge_ptf::core::engine_for(graph, {}, options.accelerator);
    return kind.make({model.data(), model.size()}, graph, options);
  }
};

// A text of token ids.
struct Text {
  std::vector<int64_t> ids, mask;

  explicit Text(size_t length, int64_t first = 5) : mask(length, 1) {
    for (size_t i = 0; i < length; ++i) {
      ids.push_back(first + static_cast<int64_t>(i));
    }
  }

  std::vector<edge_ptf::core::InputTensor> inputs() const {
    return {{"attention_mask", mask.data(), mask.size()}, {"input_ids", ids.data(), ids.size()}};
  }

  int64_t sum() const {
    int64_t total = 0;
    for (const int64_t id : ids) {
      total += id;
    }
    return total;
  }
};

// The values of the output `number` for a text.
inline std::vector<float> answer(edge_ptf::core::Engine::Call& call, const Text& text, size_t number = 0) {
  std::vector<edge_ptf::core::Tensor> outputs;
  call.run(text.inputs(), outputs);
  REQUIRE(number < outputs.size());
  size_t size = 1;
  for (size_t axis = 0; axis < outputs[number].rank; ++axis) {
    size *= outputs[number].shape[axis];
  }
  return {outputs[number].values, outputs[number].values + size};
}

// What the fake computes for an output [batch, label] with three labels.
inline std::vector<float> expected(const Text& text) {
  const auto sum = static_cast<float>(text.sum());
  return {sum, 2 * sum, 3 * sum};
}

// The failure of some work: its status and message.
template <typename Work>
std::pair<edge_ptf_status, std::string> failure_of(Work work) {
  try {
    work();
  } catch (const edge_ptf::core::Error& error) {
    return {error.status(), error.what()};
  }
  return {EDGE_PTF_OK, ""};
}
