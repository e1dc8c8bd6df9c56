// The engine for TensorRT, with a FAKE of TensorRT and CUDA: buckets, CUDA graphs, memory, threads, stopping.
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <thread>

#include "built_engine.h"
#include "engines/tensorrt/buckets.h"

using edge_ptf::core::Bucket;
using edge_ptf::core::bucket_for;
using edge_ptf::core::check_buckets;
using edge_ptf::core::cut_back;
using edge_ptf::core::element_count;
using edge_ptf::core::half_to_float;
using edge_ptf::core::OutputSpec;

namespace {

constexpr size_t kTokens = OutputSpec::kTokens;

std::vector<int> cut(const std::vector<int>& values, const std::vector<size_t>& shape, size_t padded, size_t length) {
  const OutputSpec spec{"", shape};
  std::vector<float> found(element_count(spec, length));
  cut_back(values.data(), spec, padded, length, found.data(), [](int value) { return static_cast<float>(value); });
  return {found.begin(), found.end()};
}

}  // namespace

TEST_CASE("a length goes to the bucket with the least padding") {
  const std::vector<Bucket> buckets = {{1, 64}, {1, 8}, {9, 16}};
  CHECK(bucket_for(buckets, 1) == 1);
  CHECK(bucket_for(buckets, 8) == 1);
  CHECK(bucket_for(buckets, 9) == 2);
  CHECK(bucket_for(buckets, 17) == 0);
  CHECK(failure_of([&] { bucket_for(buckets, 65); }).first == EDGE_PTF_BAD_INPUT);
}

TEST_CASE("buckets must have every length of the package") {
  check_buckets({{9, 16}, {1, 8}}, 16, "it");
  check_buckets({{1, 128}}, 16, "it");
  const auto [status, message] = failure_of([] { check_buckets({{1, 8}, {10, 16}}, 16, "DIR/main.sm87.engine"); });
  CHECK(status == EDGE_PTF_ENVIRONMENT);
  CHECK(message ==
        "DIR/main.sm87.engine: it takes no text of 9 tokens, and the package takes 1 to 16; build it on this machine: "
        "edge-ptf build-engine PACKAGE --out DIR");
  CHECK(failure_of([] { check_buckets({{2, 8}}, 8, "it"); }).second.find("1 tokens") != std::string::npos);
  CHECK(failure_of([] { check_buckets({}, 8, "it"); }).first == EDGE_PTF_ENVIRONMENT);
}

TEST_CASE("outputs for a padded text are cut back along each axis of tokens") {
  CHECK(cut({1, 2, 3}, {3}, 4, 2) == std::vector<int>{1, 2, 3});
  CHECK(cut({1, 2, 3, 4, 5, 6, 7, 8}, {kTokens, 2}, 4, 3) == std::vector<int>{1, 2, 3, 4, 5, 6});
  CHECK(cut({1, 2, 3, 4, 5, 6}, {2, kTokens}, 3, 2) == std::vector<int>{1, 2, 4, 5});
  CHECK(cut({1, 2, 3, 4, 5, 6, 7, 8, 9}, {kTokens, kTokens}, 3, 2) == std::vector<int>{1, 2, 4, 5});
  CHECK(cut({1, 2, 3, 4, 5, 6, 7, 8}, {kTokens, 2, kTokens}, 2, 1) == std::vector<int>{1, 3});
  CHECK(cut({1, 2, 3, 4}, {kTokens}, 4, 4) == std::vector<int>{1, 2, 3, 4});
  CHECK(cut({7}, {}, 4, 4) == std::vector<int>{7});
}

TEST_CASE("numbers of 16 bits become those of 32") {
  CHECK(half_to_float(0x0000) == 0);
  CHECK(std::signbit(half_to_float(0x8000)));
  CHECK(half_to_float(0x3C00) == 1);
  CHECK(half_to_float(0xC000) == -2);
  CHECK(half_to_float(0x3555) == doctest::Approx(0.333251953125));
  CHECK(half_to_float(0x7BFF) == 65504);
  CHECK(half_to_float(0x0400) == std::ldexp(1.0F, -14));
  CHECK(half_to_float(0x0001) == std::ldexp(1.0F, -24));
  CHECK(half_to_float(0x83FF) == -1023 * std::ldexp(1.0F, -24));
  CHECK(half_to_float(0x7C00) == std::numeric_limits<float>::infinity());
  CHECK(half_to_float(0xFC00) == -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(half_to_float(0x7E00)));
}

TEST_CASE("texts of every length are answered, with and without CUDA graphs") {
  for (const bool graphs : {true, false}) {
    BuiltEngine built;
    built.options.accelerator.cuda_graphs = graphs;
    built.write();
    const auto engine = built.open();
    CHECK(engine->is_exact());
    const auto call = engine->call();
    for (int turn = 0; turn < 2; ++turn) {
      for (size_t length = 1; length <= 32; ++length) {
        const Text text(length, 3 + turn);
        CHECK(answer(*call, text) == expected(text));
      }
    }
    CHECK(fake_tensorrt::calls("cudaStreamBeginCapture") == (graphs ? 3 : 0));
    for (const size_t length : {size_t{0}, size_t{33}}) {
      const auto [status, message] = failure_of([&] { answer(*call, Text(length)); });
      CHECK(status == EDGE_PTF_BAD_INPUT);
      CHECK(message == std::to_string(length) + " tokens; the package takes 1 to 32");
    }
  }
}

TEST_CASE("a CUDA graph is captured once for each bucket and replayed after that") {
  BuiltEngine built;
  built.write();
  const auto engine = built.open();
  const auto call = engine->call();
  const std::vector<size_t> lengths = {3, 5, 8, 9, 16, 3, 12};
  for (const size_t length : lengths) {
    CHECK(answer(*call, Text(length)) == expected(Text(length)));
  }
  CHECK(fake_tensorrt::calls("createExecutionContext") == 2);
  CHECK(fake_tensorrt::calls("cudaStreamBeginCapture") == 2);
  CHECK(fake_tensorrt::calls("cudaGraphInstantiate") == 2);
  CHECK(fake_tensorrt::calls("enqueueV3") == 4);  // the first text of a bucket, and its capture
  CHECK(fake_tensorrt::calls("cudaGraphLaunch") == 5);
  CHECK(fake_tensorrt::alive("graph") == 0);
  CHECK(fake_tensorrt::alive("graph executable") == 2);
}

TEST_CASE("a text is padded to its bucket with zeros that the mask hides, and not at all without CUDA graphs") {
  for (const bool graphs : {true, false}) {
    BuiltEngine built;
    built.options.accelerator.cuda_graphs = graphs;
    built.options.max_length = 30;  // the last bucket is longer than the longest text
    built.write();
    std::vector<fake_tensorrt::Run> runs;
    const auto engine = built.open();
    const auto call = engine->call();
    fake_tensorrt::compute([&](fake_tensorrt::Run& run) { runs.push_back(run); });
    answer(*call, Text(7, 1));
    answer(*call, Text(3, 1));
    answer(*call, Text(20, 1));
    REQUIRE(runs.size() == 3);
    using Numbers = std::vector<int64_t>;
    CHECK(runs[1].inputs["input_ids"] == (graphs ? Numbers{1, 2, 3, 0, 0, 0, 0, 0} : Numbers{1, 2, 3}));
    CHECK(runs[1].inputs["attention_mask"] == (graphs ? Numbers{1, 1, 1, 0, 0, 0, 0, 0} : Numbers{1, 1, 1}));
    CHECK(runs[2].length == (graphs ? 30 : 20));
  }
}

TEST_CASE("an engine without a mask runs texts as long as they are") {
  BuiltEngine built;
  built.graph.inputs = {{"input_ids", "int64", {}}};
  built.engine["tensors"].erase(1);
  built.write();
  const auto engine = built.open();
  const auto call = engine->call();
  for (const size_t length : {size_t{3}, size_t{4}, size_t{3}}) {
    CHECK(answer(*call, Text(length)) == expected(Text(length)));
  }
  CHECK(fake_tensorrt::calls("cudaStreamBeginCapture") == 0);
}

TEST_CASE("inputs of 32 bits, outputs of 16 bits, and outputs that no head reads") {
  BuiltEngine built;
  built.engine["tensors"] = {
      tensor_of("unread", "output", "float32", {-1, -1, 4}), tensor_of("logits", "output", "float16", {-1, -1, 2}),
      tensor_of("attention_mask", "input", "int32", {-1, -1}), tensor_of("mean", "output", "float32", {-1, 3}),
      tensor_of("input_ids", "input", "int32", {-1, -1})};
  built.options.outputs = {{"mean", {3}}, {"logits", {kTokens, 2}}};
  built.write();
  const auto engine = built.open();
  const auto call = engine->call();
  for (int turn = 0; turn < 3; ++turn) {
    const Text text(3, 10 + turn);
    CHECK(answer(*call, text, 0) == expected(text));
    const auto sum = static_cast<float>(text.sum());
    std::vector<float> wanted;
    for (const int64_t id : text.ids) {
      wanted.push_back(sum + static_cast<float>(id));
      wanted.push_back(sum + 2 * static_cast<float>(id));
    }
    CHECK(answer(*call, text, 1) == wanted);
  }
  Text large(2);
  large.ids[1] = int64_t{1} << 32;
  const auto [status, message] = failure_of([&] { answer(*call, large); });
  CHECK(status == EDGE_PTF_BAD_INPUT);
  CHECK(message == "the input 'input_ids' has the value 4294967296, and the engine takes 32 bits");
  std::vector<edge_ptf::core::Tensor> outputs;
  CHECK(failure_of([&] { call->run({Text(2).inputs().front()}, outputs); }).second ==
        "the input 'input_ids' is missing, or has another length");
}

TEST_CASE("memory is allocated once, and all of it is freed") {
  REQUIRE(fake_tensorrt::alive() == 0);
  {
    BuiltEngine built;
    built.write();
    const auto engine = built.open();
    CHECK(fake_tensorrt::alive() == 2);  // runtime and engine
    const auto call = engine->call();
    CHECK(fake_tensorrt::alive("device memory") == 3);
    CHECK(fake_tensorrt::alive("pinned memory") == 3);
    CHECK(fake_tensorrt::alive("stream") == 1);
    for (int turn = 0; turn < 50; ++turn) {
      answer(*call, Text(1 + static_cast<size_t>(turn) % 32));
    }
    CHECK(fake_tensorrt::calls("cudaMalloc") == 3);
    CHECK(fake_tensorrt::calls("cudaMallocHost") == 3);
    CHECK(fake_tensorrt::calls("cudaStreamCreateWithFlags") == 1);
    const auto second = engine->call();
    answer(*second, Text(4));
    CHECK(fake_tensorrt::alive("context") == 4);
  }
  CHECK(fake_tensorrt::alive() == 0);
}

TEST_CASE("threads with a call each use one engine at the same time") {
  BuiltEngine built;
  built.write();
  const auto engine = built.open();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int64_t number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      const auto call = engine->call();
      for (size_t turn = 0; turn < 100; ++turn) {
        const Text text(1 + turn % 32, 100 * number);
        wrong += answer(*call, text) == expected(text) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(wrong == 0);
  CHECK(fake_tensorrt::calls("cudaStreamBeginCapture") == 12);
}

TEST_CASE("a call that is stopped fails until it is reset, and then answers again") {
  BuiltEngine built;
  built.write();
  const auto engine = built.open();
  const auto call = engine->call();
  call->stop();
  const auto [status, message] = failure_of([&] { answer(*call, Text(3)); });
  CHECK(status == EDGE_PTF_INTERRUPTED);
  CHECK(message == "the run was stopped");
  CHECK(fake_tensorrt::calls("enqueueV3") == 0);
  call->reset();
  CHECK(answer(*call, Text(3)) == expected(Text(3)));
  // Another thread stops while the GPU works: at the first text of a bucket, and at a replay.
  for (const char* function : {"enqueueV3", "cudaGraphLaunch"}) {
    const size_t length = std::string(function) == "enqueueV3" ? 12 : 4;
    fake_tensorrt::at(function, [&] { std::thread([&] { call->stop(); }).join(); });
    CHECK(failure_of([&] { answer(*call, Text(length)); }).first == EDGE_PTF_INTERRUPTED);
    fake_tensorrt::at(function, nullptr);
    CHECK(failure_of([&] { answer(*call, Text(length)); }).first == EDGE_PTF_INTERRUPTED);
    call->reset();
    for (int turn = 0; turn < 3; ++turn) {
      CHECK(answer(*call, Text(length, turn)) == expected(Text(length, turn)));
    }
  }
}

TEST_CASE("a call uses the GPU of its engine, and the thread keeps its own") {
  BuiltEngine built;
  built.write();
  fake_tensorrt::machine().gpus = 2;
  const auto engine = built.open();
  const auto call = engine->call();
  REQUIRE(cudaSetDevice(1) == cudaSuccess);
  int used = -1;
  fake_tensorrt::at("enqueueV3", [&] { cudaGetDevice(&used); });
  answer(*call, Text(3));
  int device = -1;
  cudaGetDevice(&device);
  CHECK(used == 0);
  CHECK(device == 1);
  REQUIRE(cudaSetDevice(0) == cudaSuccess);
}
