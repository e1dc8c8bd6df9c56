#include "engines/onnxruntime_session.h"

#include <unistd.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

namespace edge_ptf::core {
namespace {

Ort::Env& environment() {
  if (OrtGetApiBase()->GetApi(ORT_API_VERSION) == nullptr) {
    unavailable(std::string("ONNX Runtime ") + OrtGetApiBase()->GetVersionString() +
                " is older than the one this runner was built with");
  }
  static Ort::Env shared(ORT_LOGGING_LEVEL_FATAL, "edge-ptf");
  return shared;
}

Ort::SessionOptions session_options(const EngineSettings& settings) {
  Ort::SessionOptions session;
  session.SetIntraOpNumThreads(settings.threads);
  session.SetInterOpNumThreads(1);
  session.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);  // errors are returned, not printed
  session.AddConfigEntry("session.intra_op.allow_spinning", settings.spinning ? "1" : "0");
  if (!settings.affinity.empty() && settings.threads > 1) {
    session.AddConfigEntry("session.intra_op_thread_affinities", settings.affinity.c_str());
  }
  if (!settings.arena) {
    session.DisableCpuMemArena();
  }
  return session;
}

// Options in the form of the C interface. They refer to the setup.
struct Pointers {
  std::vector<const char*> keys, values;

  explicit Pointers(const KeysAndValues& options) {
    for (const auto& [key, value] : options) {
      keys.push_back(key.c_str());
      values.push_back(value.c_str());
    }
  }
};

#if ORT_API_VERSION >= 22

// A plugin is loaded once in a process.
void register_plugin(const std::string& library) {
  static std::mutex mutex;
  static std::set<std::string> known;
  const std::lock_guard<std::mutex> lock(mutex);
  if (known.count(library) == 0) {
    Ort::ThrowOnError(Ort::GetApi().RegisterExecutionProviderLibrary(environment(), library.c_str(), library.c_str()));
    known.insert(library);
  }
}

void append_plugin(Ort::SessionOptions& session, const ProviderSetup& setup, const Pointers& options) {
  register_plugin(setup.library);
  const OrtApi& api = Ort::GetApi();
  const OrtEpDevice* const* devices = nullptr;
  size_t count = 0;
  Ort::ThrowOnError(api.GetEpDevices(environment(), &devices, &count));
  std::string known;
  for (size_t i = 0; i < count; ++i) {
    const std::string name = api.EpDevice_EpName(devices[i]);
    if (name == setup.kind->ort) {
      Ort::ThrowOnError(api.SessionOptionsAppendExecutionProvider_V2(
          session, environment(), &devices[i], 1, options.keys.data(), options.values.data(), options.keys.size()));
      return;
    }
    known.append(known.empty() ? "" : ", ").append(name);
  }
  unavailable("options: the plugin " + in_quotes(setup.library) + " finds no device for the provider " +
              in_quotes(setup.kind->name) + " (devices are here for: " + known + "); check the driver with nvidia-smi");
}

#else

void append_plugin(Ort::SessionOptions&, const ProviderSetup& setup, const Pointers&) {
  unavailable("options: the plugin " + in_quotes(setup.library) +
              " cannot be loaded: this runner was built with the headers of ONNX Runtime 1." +
              std::to_string(ORT_API_VERSION) + "; build it with those of 1.22 or newer");
}

#endif

void append_cuda(Ort::SessionOptions& session, const Pointers& options) {
  const OrtApi& api = Ort::GetApi();
  OrtCUDAProviderOptionsV2* made = nullptr;
  Ort::ThrowOnError(api.CreateCUDAProviderOptions(&made));
  const std::unique_ptr<OrtCUDAProviderOptionsV2, void (*)(OrtCUDAProviderOptionsV2*)> owner(
      made, api.ReleaseCUDAProviderOptions);
  Ort::ThrowOnError(
      api.UpdateCUDAProviderOptions(made, options.keys.data(), options.values.data(), options.keys.size()));
  session.AppendExecutionProvider_CUDA_V2(*made);
}

void append_tensorrt(Ort::SessionOptions& session, const Pointers& options) {
  const OrtApi& api = Ort::GetApi();
  OrtTensorRTProviderOptionsV2* made = nullptr;
  Ort::ThrowOnError(api.CreateTensorRTProviderOptions(&made));
  const std::unique_ptr<OrtTensorRTProviderOptionsV2, void (*)(OrtTensorRTProviderOptionsV2*)> owner(
      made, api.ReleaseTensorRTProviderOptions);
  Ort::ThrowOnError(
      api.UpdateTensorRTProviderOptions(made, options.keys.data(), options.values.data(), options.keys.size()));
  session.AppendExecutionProvider_TensorRT_V2(*made);
}

void append(Ort::SessionOptions& session, const ProviderSetup& setup) {
  const Pointers options(setup.options);
  if (!setup.library.empty()) {
    append_plugin(session, setup, options);
  } else if (!setup.kind->append_name.empty()) {
    Ort::ThrowOnError(Ort::GetApi().SessionOptionsAppendExecutionProvider(
        session, setup.kind->append_name.data(), options.keys.data(), options.values.data(), options.keys.size()));
  } else if (setup.kind->name == "cuda") {
    append_cuda(session, options);
  } else {
    append_tensorrt(session, options);
  }
}

// Opens the model that holds the built engine. Builds it if there is none, or if it no longer fits, for example after
// an update of the driver.
Ort::Session open_with_context(Bytes model, Ort::SessionOptions& session, const std::string& file) {
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) {
    try {
      return {environment(), file.c_str(), session};
    } catch (const Ort::Exception&) {
      std::filesystem::remove(file, ignored);
    }
  }
  const std::string partial = file + "." + std::to_string(getpid()) + ".partial";
  std::filesystem::remove(partial, ignored);
  session.AddConfigEntry("ep.context_enable", "1");
  session.AddConfigEntry("ep.context_embed_mode", "1");
  session.AddConfigEntry("ep.context_file_path", partial.c_str());
  Ort::Session opened(environment(), model.data, model.size, session);
  std::filesystem::rename(partial, file, ignored);  // without the file the next opening builds again
  return opened;
}

}  // namespace

Ort::Session open_session(Bytes model, const EngineSettings& settings, const ProviderSetup& setup) {
  if (setup.kind == nullptr) {
    return translated(EDGE_PTF_BAD_INPUT, "the model cannot be loaded by ONNX Runtime",
                      [&] { return Ort::Session(environment(), model.data, model.size, session_options(settings)); });
  }
  environment();  // fails if ONNX Runtime is too old
  need_provider(setup, Ort::GetAvailableProviders(), OrtGetApiBase()->GetVersionString());
  if (!setup.folder.empty()) {
    std::error_code error;
    std::filesystem::create_directories(setup.folder, error);
    if (error) {
      unavailable("options: cache_folder: " + in_quotes(setup.folder) + " cannot be made (" + error.message() + ")");
    }
  }
  const std::string name = "the provider " + in_quotes(setup.kind->name);
  const std::string next = "; check its libraries and the driver (nvidia-smi), or use the provider cpu";
  std::optional<Ort::SessionOptions> session;
  const auto prepare = [&] {
    session.emplace(session_options(settings));
    append(*session, setup);
  };
  translated(EDGE_PTF_ENVIRONMENT, name + " cannot work here", prepare, next);
  const auto open = [&] {
    return setup.context_file.empty() ? Ort::Session(environment(), model.data, model.size, *session)
                                      : open_with_context(model, *session, setup.context_file);
  };
  return translated(EDGE_PTF_ENVIRONMENT, name + " cannot load the model", open, next);
}

}  // namespace edge_ptf::core
