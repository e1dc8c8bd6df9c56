// Whole packages with the engine for TensorRT. The FAKE of TensorRT computes with ONNX Runtime on the processor here,
// so the golden vectors show that padding, CUDA graphs and cutting back leave the answers as they are. The packages are
// FP32: with dynamic INT8, which TensorRT does not take, an answer depends on the padding.
#include <onnxruntime_cxx_api.h>

#include <array>

#include "built_engine.h"
#include "edge_ptf.hpp"
#include "fixtures.h"
#include "package/package.h"

namespace {

// The work of a fake engine, done by ONNX Runtime.
class OnnxModel {
 public:
  explicit OnnxModel(const std::string& model)
      : environment_(ORT_LOGGING_LEVEL_FATAL, "test"), session_(environment_, model.data(), model.size(), options()) {}

  void run(fake_tensorrt::Run& run) {
    const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
    const std::array<int64_t, 2> shape = {1, static_cast<int64_t>(run.length)};
    std::vector<const char*> input_names, output_names;
    std::vector<Ort::Value> inputs, outputs;
    for (auto& [name, values] : run.inputs) {
      input_names.push_back(name.c_str());
      inputs.push_back(Ort::Value::CreateTensor<int64_t>(memory, values.data(), values.size(), shape.data(), 2));
    }
    for (auto& [name, values] : run.outputs) {
      const std::vector<int64_t>& size = run.shapes.at(name);
      output_names.push_back(name.c_str());
      outputs.push_back(
          Ort::Value::CreateTensor<float>(memory, values.data(), values.size(), size.data(), size.size()));
    }
    session_.Run(Ort::RunOptions(), input_names.data(), inputs.data(), inputs.size(), output_names.data(),
                 outputs.data(), outputs.size());
  }

 private:
  static Ort::SessionOptions options() {
    Ort::SessionOptions made;
    made.SetIntraOpNumThreads(1);
    return made;
  }
  Ort::Env environment_;
  Ort::Session session_;
};

// Writes the engine of a fixture as `edge-ptf build-engine` would, for the fake.
std::string write_engine(const std::string& path, BuiltEngine& built) {
  const edge_ptf::core::Package package(path);
  const edge_ptf::core::Graph& graph = package.manifest().graphs.front();
  const edge_ptf::core::Content content = package.read(graph.file, true);
  std::string model(content.bytes().text());
  built.engine["tensors"] = nlohmann::json::array();
  for (const auto& [tensors, mode] : {std::pair(&graph.inputs, "input"), std::pair(&graph.outputs, "output")}) {
    for (const edge_ptf::core::TensorEntry& tensor : *tensors) {
      std::vector<int> shape;
      for (const std::optional<uint64_t>& size : tensor.shape) {
        shape.push_back(size ? static_cast<int>(*size) : -1);
      }
      built.engine["tensors"].push_back(tensor_of(tensor.name.c_str(), mode, tensor.dtype.c_str(), shape));
    }
  }
  built.engine["profiles"] = {{1, 8}, {9, 16}, {17, 32}, {33, package.manifest().tokenizer.max_length}};
  built.key["payload"] = package.digest();
  built.key["graph"] = digest_of(model);
  built.write();
  return model;
}

}  // namespace

TEST_CASE("a package answers its golden vectors with an engine of TensorRT") {
  for (const char* name : {"intents-fp32", "entities-fp32", "ids-only-fp32"}) {
    for (const bool graphs : {true, false}) {
      const std::string path = fixture(std::string(name) + ".eptf");
      BuiltEngine built;
      OnnxModel model(write_engine(path, built));
      fake_tensorrt::compute([&model](fake_tensorrt::Run& run) { model.run(run); });
      edge_ptf::Options options;
      options.engine_folder = built.folder.path();
      options.cuda_graphs = graphs;
      const edge_ptf_options given = options.c_options();
      auto report = edge_ptf::sized<edge_ptf_report>();
      const edge_ptf_status status = edge_ptf_verify(path.c_str(), &given, &report);
      INFO(name, " ", graphs, " ", edge_ptf_last_error(), " ", report.largest_difference);
      CHECK(status == EDGE_PTF_OK);
      CHECK(report.golden > 0);
      CHECK(report.exact == 1);
      CHECK(report.largest_difference < 1e-4);
      CHECK((fake_tensorrt::calls("cudaGraphLaunch") > 0) == graphs);
    }
  }
  CHECK(fake_tensorrt::alive() == 0);
}

TEST_CASE("an engine whose answers are wrong fails the golden vectors") {
  const std::string path = fixture("intents-fp32.eptf");
  BuiltEngine built;
  OnnxModel model(write_engine(path, built));
  fake_tensorrt::compute([&model](fake_tensorrt::Run& run) {
    model.run(run);
    std::swap(run.outputs["logits"][0], run.outputs["logits"][1]);
  });
  edge_ptf::Options options;
  options.engine_folder = built.folder.path();
  try {
    (void)edge_ptf::Runner(path, options).selftest();
    FAIL("the self-test passed");
  } catch (const edge_ptf::Failure& failure) {
    CHECK(failure.status() == EDGE_PTF_FAILED);
    CHECK(std::string(failure.what()).find("the output 'logits' is off by") != std::string::npos);
  }
}

TEST_CASE("the C API reports what is wrong with an engine folder") {
  const std::string path = fixture("intents-fp32.eptf");
  BuiltEngine built;
  edge_ptf::Options options;
  options.engine_folder = built.folder.path();
  const edge_ptf_options given = options.c_options();
  edge_ptf_runner* runner = nullptr;
  CHECK(edge_ptf_open(path.c_str(), &given, &runner) == EDGE_PTF_ENVIRONMENT);
  CHECK(runner == nullptr);
  CHECK(std::string(edge_ptf_last_error()) ==
        path + ": " + built.path() +
            ": there is no such engine; build it on this machine: edge-ptf build-engine PACKAGE --out DIR");
  CHECK(std::string(edge_ptf_engine_version()).find(", tensorrt 10.3.0") != std::string::npos);
}

TEST_CASE("the JSON file that edge-ptf writes beside an engine is read") {
  const std::string path = fixture("intents-fp32.eptf");
  fake_tensorrt::reset();
  fake_tensorrt::machine().name = "Orin";
  edge_ptf::Options options;
  options.engine_folder = fixture("engines");
  const auto refusal = [&] {
    return failure_of([&] {
             const edge_ptf_options given = options.c_options();
             edge_ptf_runner* runner = nullptr;
             const edge_ptf_status status = edge_ptf_open(path.c_str(), &given, &runner);
             throw edge_ptf::core::Error(status, edge_ptf_last_error());
           })
        .second;
  };
  const std::string start = path + ": " + fixture("engines/main.sm87.engine") + ": ";
  const std::string end = "; build it on this machine: edge-ptf build-engine PACKAGE --out DIR";
  // All of it fits: package, graph, library, GPU, sha256. The engine itself is none.
  CHECK(refusal() == start + "TensorRT does not load it (magic tag does not match)" + end);
  fake_tensorrt::machine().name = "Other";
  CHECK(refusal() == start + "it was built for the GPU 'Orin', and 'Other' is here" + end);
}
