// Writes the graph that ONNX Runtime executes on this processor, and prints
// what it answers.
//
//     optimized_graph MODEL OUT IDS
//
// MODEL: an ONNX file. OUT: where the optimized graph is written. IDS: a file
// with the token ids of one text on each line. For each text, one line with the
// values of the first output is printed.
#include <onnxruntime_cxx_api.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::vector<Ort::Value> answer(Ort::Session& session, std::vector<int64_t>& ids) {
  const std::array<int64_t, 2> shape = {1, static_cast<int64_t>(ids.size())};
  const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
  const Ort::AllocatorWithDefaultOptions allocator;
  std::vector<int64_t> mask(ids.size(), 1);
  std::vector<int64_t> types(ids.size(), 0);
  std::vector<std::string> names;
  for (size_t i = 0; i < session.GetInputCount(); ++i) {
    names.emplace_back(session.GetInputNameAllocated(i, allocator).get());
  }
  std::vector<const char*> inputs;
  std::vector<Ort::Value> values;
  for (const std::string& name : names) {
    std::vector<int64_t>& numbers = name == "input_ids" ? ids : name == "attention_mask" ? mask : types;
    inputs.push_back(name.c_str());
    values.push_back(
        Ort::Value::CreateTensor<int64_t>(memory, numbers.data(), numbers.size(), shape.data(), shape.size()));
  }
  const std::string first = session.GetOutputNameAllocated(0, allocator).get();
  const char* output = first.c_str();
  return session.Run(Ort::RunOptions(), inputs.data(), values.data(), values.size(), &output, 1);
}

void run(char** arguments) {
  const Ort::Env environment(ORT_LOGGING_LEVEL_FATAL, "optimized_graph");
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(1);
  options.SetInterOpNumThreads(1);
  options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  options.SetOptimizedModelFilePath(arguments[2]);
  Ort::Session session(environment, arguments[1], options);
  std::ifstream file(arguments[3]);
  for (std::string line; std::getline(file, line);) {
    std::istringstream numbers(line);
    std::vector<int64_t> ids;
    for (int64_t id = 0; numbers >> id;) {
      ids.push_back(id);
    }
    const std::vector<Ort::Value> outputs = answer(session, ids);
    const auto* values = outputs[0].GetTensorData<float>();
    const size_t count = outputs[0].GetTensorTypeAndShapeInfo().GetElementCount();
    for (size_t i = 0; i < count; ++i) {
      std::printf("%.9g%c", static_cast<double>(values[i]), i + 1 < count ? ' ' : '\n');
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) {
    (void)std::fprintf(stderr, "Usage: optimized_graph MODEL OUT IDS\n");
    return 2;
  }
  try {
    run(arguments);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "optimized_graph: %s\n", error.what());
    return 1;
  }
  return 0;
}
