// edge-ptf-runner: runs a package on the command line. The exit codes are those of edge-ptf.
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>

#include "commands.h"
#include "terminal.h"

namespace {

constexpr const char* kHelp = R"(Usage: edge-ptf-runner COMMAND PACKAGE [...]

Answers texts with a package of edge-ptf: a .eptf file or its unpacked directory.

Commands
  info PACKAGE [--json]                 shows what the package is
  predict PACKAGE [TEXT...]             answers texts; without TEXT, each line of the standard input
      --pair TEXT                       the second text, for a package of pairs or vectors
      --dimensions N                    the leading numbers of a vector, for a package that answers with vectors
      --add-class NAME=FILE             adds a class from a file with one text on each line; can be given several times
      --json                            prints one JSON object for each answer
      --jsonl                           reads JSON lines with "text" and "text_pair", and prints JSON lines
  bench PACKAGE --texts FILE            measures latency on this machine, in one launch
      --baseline PACKAGE                another package that answers the same texts alternately, for a speed-up
      --mode burst|paced|sustained      calls without a pause, at a fixed rate, or for a long time  [burst]
      --rate N                          calls per second, for paced  [10]
      --seconds S --calls N             minimum time, and minimum number of calls  [2 (sustained: 60), 400]
      --only tokenizer                  measures only the tokenizer
      --memory                          adds the peak resident memory; use a separate launch for it
      --json --out FILE                 writes the record with every sample to the standard output or a file
                                        (docs/bench.schema.json)
      --seed N                          seed for the order of the texts  [0]
  selftest PACKAGE                      answers the golden vectors
  verify PACKAGE                        checks every sha256, then the golden vectors

Options of all commands that answer (default: the package's own settings)
  --threads N   --spinning on|off   --arena on|off   --affinity LIST
  --check       compares the sha256 of every file that is used (verify does this for the whole package)
  --provider cpu|cuda|tensorrt|nv-tensorrt-rtx      execution provider of ONNX Runtime  [cpu]
      --provider-library FILE           a plugin of ONNX Runtime that has the provider
      --cache-folder DIR                keeps what the providers tensorrt and nv-tensorrt-rtx build
  --engine-folder DIR                   runs the engines of edge-ptf build-engine with TensorRT
      --cuda-graphs on|off              off: texts are not padded to the length of a CUDA graph  [on]

Exit codes: 0 done, 2 wrong usage or bad input, 3 failed (selftest, verify), 5 environment, 1 internal error.
)";

int complain(int code, const std::string& message) {
  (void)std::fprintf(stderr, "edge-ptf-runner: %s\n", shown(message).c_str());
  return code;
}

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> words(values + 1, values + count);
  const std::map<std::string, std::function<int(const std::vector<std::string>&)>> commands = {
      {"info", info_command},         {"predict", predict_command}, {"bench", bench_command},
      {"selftest", selftest_command}, {"verify", verify_command},
  };
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || (words.size() > 1 && words[1] == "--help")) {
    (void)std::fputs(kHelp, words.empty() ? stderr : stdout);
    return words.empty() ? EDGE_PTF_BAD_INPUT : EDGE_PTF_OK;
  }
  if (words[0] == "--version") {
    std::printf("edge-ptf-runner %s (%s)\n", edge_ptf_version(), edge_ptf_engine_version());
    return EDGE_PTF_OK;
  }
  const auto command = commands.find(words[0]);
  if (command == commands.end()) {
    return complain(EDGE_PTF_BAD_INPUT,
                    "no such command: " + words[0] + " (info, predict, bench, selftest, verify; see --help)");
  }
  try {
    return command->second({words.begin() + 1, words.end()});
  } catch (const UsageError& error) {
    return complain(EDGE_PTF_BAD_INPUT, error.what());
  } catch (const EnvironmentError& error) {
    return complain(EDGE_PTF_ENVIRONMENT, error.what());
  } catch (const edge_ptf::Failure& failure) {
    return complain(failure.status(), failure.what());
  } catch (const std::exception& error) {
    return complain(EDGE_PTF_INTERNAL, error.what());
  }
}
