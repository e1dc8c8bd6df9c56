// Which engine files of `edge-ptf build-engine` are run, with a FAKE of TensorRT and CUDA.
#include <filesystem>

#include "built_engine.h"

namespace {

constexpr const char* kNext = "; build it on this machine: edge-ptf build-engine PACKAGE --out DIR";

}  // namespace

TEST_CASE("an engine that was built from something else is refused with what differs") {
  struct Difference {
    const char* field;
    nlohmann::json value;
    std::string message;
  };
  const std::vector<Difference> differences = {
      {"payload", std::string(64, 'b'), "it was built from another package"},
      {"graph", std::string(64, 'b'), "it was built from another graph"},
      {"library", "tensorrt-rtx", "it was built by 'tensorrt-rtx', and 'tensorrt' runs it"},
      {"version", "10.13.3.9", "it was built by tensorrt '10.13.3.9', and 10.3.0 is here"},
      {"version", "10.3.1", "it was built by tensorrt '10.3.1', and 10.3.0 is here"},
      {"compute_capability", 120, "it was built for compute capability 12.0, and the GPU here has 8.7"},
      {"gpu", "Another", "it was built for the GPU 'Another', and 'Fake Orin' is here"},
  };
  for (const Difference& difference : differences) {
    BuiltEngine built;
    built.key[difference.field] = difference.value;
    built.write();
    const auto [status, message] = failure_of([&] { built.open(); });
    CHECK(status == EDGE_PTF_ENVIRONMENT);
    CHECK(message == built.path() + ": " + difference.message + kNext);
    CHECK(fake_tensorrt::calls("createInferRuntime") == 0);
  }
}

TEST_CASE("the number of a build of TensorRT does not count, and neither does the GPU of an engine for all") {
  for (const auto& [version, gpu] :
       {std::pair("10.3.0.26", "Fake Orin"), std::pair("10.3", ""), std::pair("10.3.0", "")}) {
    BuiltEngine built;
    built.key["version"] = version;
    built.key["gpu"] = gpu;
    built.write();
    CHECK_NOTHROW(built.open());
  }
}

TEST_CASE("an engine that is damaged or not there is refused") {
  BuiltEngine built;
  const auto refusal = [&] {
    const auto [status, message] = failure_of([&] { built.open(); });
    CHECK(status == EDGE_PTF_ENVIRONMENT);
    return message;
  };
  CHECK(refusal() == built.path() + ": there is no such engine" + kNext);
  built.write();
  built.folder.write("main.sm87.engine", "damaged");
  const std::string key = built.folder.file("main.sm87.json");
  CHECK(refusal() == built.path() + ": it is damaged (its sha256 is not the one in " + key + ")" + kNext);
  built.key["sha256"] = digest_of("damaged");
  built.folder.write("main.sm87.json", built.key.dump());
  CHECK(refusal() == built.path() + ": TensorRT does not load it (magic tag does not match)" + kNext);
  std::filesystem::remove(key);
  CHECK(refusal() == built.path() + ": " + key + " is not beside it" + kNext);
  // The file is that of the GPU that is here.
  built.write();
  fake_tensorrt::machine().major = 12;
  fake_tensorrt::machine().minor = 0;
  CHECK(refusal() == built.folder.file("main.sm120.engine") + ": there is no such engine" + kNext);
}

TEST_CASE("a JSON file that is none, or lacks a field, is refused") {
  BuiltEngine built;
  built.write();
  const std::string key = built.folder.file("main.sm87.json");
  const auto refusal = [&](const std::string& content) {
    built.folder.write("main.sm87.json", content);
    const auto [status, message] = failure_of([&] { built.open(); });
    CHECK(status == EDGE_PTF_BAD_INPUT);
    return message;
  };
  CHECK(refusal("{") == key + ": this is no JSON");
  CHECK(refusal("[]") == key + ":  is not an object");
  nlohmann::json content = built.key;
  content["schema_version"] = 2;
  CHECK(refusal(content.dump()) == key + ": schema_version is not 1; use a newer runner");
  for (const auto& [name, value] : built.key.items()) {
    if (name != "lengths") {
      content = built.key;
      content.erase(name);
      std::string wanted = key;
      wanted.append(": ").append(name).append(" is missing");
      CHECK(refusal(content.dump()) == wanted);
    }
  }
  content = built.key;
  content["version"] = "new";
  CHECK(refusal(content.dump()) == built.path() + ": 'new' is not a version such as 1.23");
}

TEST_CASE("an engine folder excludes a provider, and a name that is a path is refused") {
  BuiltEngine built;
  built.write();
  built.options.accelerator.provider = "cuda";
  CHECK(failure_of([&] { built.open(); }).second ==
        "options: engine_folder and provider exclude each other: TensorRT runs the engines without ONNX Runtime");
  built.options.accelerator.provider.clear();
  built.graph.name = "../main";
  const auto [status, message] = failure_of([&] { built.open(); });
  CHECK(status == EDGE_PTF_BAD_INPUT);
  CHECK(message == "manifest.json: the graph '../main' cannot be the name of an engine's file");
}
