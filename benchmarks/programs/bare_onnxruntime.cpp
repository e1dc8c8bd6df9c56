// ONNX Runtime alone: opens the model of a package with the runner's session
// settings and runs token ids.
//
//     bare_onnxruntime MODEL IDS CALLS THREADS SPINNING ARENA
//
// IDS: the ids of one text on each line. The output has the form of app.c.
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace {

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

long peak_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.compare(0, 6, "VmHWM:") == 0) {
      return std::strtol(line.c_str() + 6, nullptr, 10);
    }
  }
  return 0;
}

std::vector<std::vector<int64_t>> read_ids(const char *path) {
  std::ifstream file(path);
  std::vector<std::vector<int64_t>> texts;
  for (std::string line; std::getline(file, line);) {
    std::istringstream numbers(line);
    std::vector<int64_t> &ids = texts.emplace_back();
    for (int64_t id = 0; numbers >> id;) {
      ids.push_back(id);
    }
  }
  return texts;
}

class Model {
public:
  Model(const char *path, int threads, bool spinning, bool arena)
      : environment_(ORT_LOGGING_LEVEL_FATAL, "bare"), session_(nullptr) {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(threads);
    options.SetInterOpNumThreads(1);
    options.AddConfigEntry("session.intra_op.allow_spinning",
                           spinning ? "1" : "0");
    if (!arena) {
      options.DisableCpuMemArena();
    }
    session_ = Ort::Session(environment_, path, options);
    Ort::AllocatorWithDefaultOptions allocator;
    for (size_t i = 0; i < session_.GetInputCount(); ++i) {
      inputs_.emplace_back(session_.GetInputNameAllocated(i, allocator).get());
    }
    output_ = session_.GetOutputNameAllocated(0, allocator).get();
  }

  std::vector<Ort::Value> run(std::vector<int64_t> &ids) {
    const std::array<int64_t, 2> shape = {1, static_cast<int64_t>(ids.size())};
    mask_.assign(ids.size(), 1);
    types_.assign(ids.size(), 0);
    std::vector<Ort::Value> values;
    std::vector<const char *> names;
    for (const std::string &name : inputs_) {
      std::vector<int64_t> &numbers = name == "input_ids"        ? ids
                                      : name == "attention_mask" ? mask_
                                                                 : types_;
      values.push_back(Ort::Value::CreateTensor<int64_t>(
          memory_, numbers.data(), numbers.size(), shape.data(), shape.size()));
      names.push_back(name.c_str());
    }
    const char *output = output_.c_str();
    return session_.Run(Ort::RunOptions(), names.data(), values.data(),
                        values.size(), &output, 1);
  }

private:
  Ort::Env environment_;
  Ort::Session session_;
  Ort::MemoryInfo memory_ =
      Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
  std::vector<std::string> inputs_;
  std::string output_;
  std::vector<int64_t> mask_, types_;
};

int run(char **arguments) {
  std::vector<std::vector<int64_t>> texts = read_ids(arguments[2]);
  if (texts.empty()) {
    std::fprintf(stderr, "bare_onnxruntime: %s: no ids\n", arguments[2]);
    return 2;
  }
  const auto calls =
      static_cast<size_t>(std::strtol(arguments[3], nullptr, 10));
  Model model(arguments[1],
              static_cast<int>(std::strtol(arguments[4], nullptr, 10)),
              arguments[5][0] == '1', arguments[6][0] == '1');
  const std::vector<Ort::Value> output = model.run(texts[0]);
  const int64_t first = now();
  const auto *logits = output[0].GetTensorData<float>();
  const size_t size = output[0].GetTensorTypeAndShapeInfo().GetElementCount();
  std::printf("{\"first_ns\": %" PRId64 ", \"best\": %td, \"times_ns\": [",
              first, std::max_element(logits, logits + size) - logits);
  for (size_t i = 0; i < 2 * calls; ++i) {
    const int64_t begin = now();
    model.run(texts[i % texts.size()]);
    const int64_t end = now();
    if (i >= calls) {
      std::printf("%s%" PRId64, i == calls ? "" : ", ", end - begin);
    }
  }
  std::printf("], \"peak_kb\": %ld}\n", peak_kb());
  return 0;
}

} // namespace

int main(int count, char **arguments) {
  if (count != 7) {
    std::fprintf(
        stderr,
        "Usage: bare_onnxruntime MODEL IDS CALLS THREADS SPINNING ARENA\n");
    return 2;
  }
  try {
    return run(arguments);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "bare_onnxruntime: %s\n", error.what());
    return 1;
  }
}
