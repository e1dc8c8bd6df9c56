#include "environment.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace {

using nlohmann::json;

std::string read(const std::string& path) {
  std::ifstream stream(path);
  std::ostringstream content;
  content << stream.rdbuf();
  std::string text = content.str();
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) {
    text.pop_back();
  }
  return text;
}

// "name : value" lines; the first of a name counts.
std::map<std::string, std::string> fields(const std::string& text) {
  std::map<std::string, std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) {
      continue;
    }
    const size_t end = line.find_last_not_of(" \t", colon == 0 ? 0 : colon - 1);
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    found.emplace(line.substr(0, end + 1), begin == std::string::npos ? "" : line.substr(begin));
  }
  return found;
}

std::vector<std::string> instruction_sets(const std::map<std::string, std::string>& cpu) {
  static const std::vector<std::string> kKnown = {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8",
                                                  "neon", "asimddp", "i8mm",        "sve"};
  const auto flags = cpu.find("flags") != cpu.end() ? cpu.find("flags") : cpu.find("Features");
  std::vector<std::string> found;
  if (flags == cpu.end()) {
    return found;
  }
  std::istringstream words(flags->second);
  const std::vector<std::string> given{std::istream_iterator<std::string>(words), {}};
  const auto has = [&given](const std::string& name) {
    return std::find(given.begin(), given.end(), name) != given.end();
  };
  for (const std::string& name : kKnown) {
    if (has(name) || (name == "neon" && has("asimd"))) {
      found.push_back(name);
    }
  }
  return found;
}

double first_number(const std::string& text) {
  return std::strtod(text.c_str(), nullptr);
}

// One number from each file /sys/…/<folder><n>/<file>, in order.
json numbers(const std::string& parent, const std::string& prefix, const std::string& file) {
  json found = json::array();
  for (int i = 0; i < 64; ++i) {
    const std::string text = read(parent + "/" + prefix + std::to_string(i) + "/" + file);
    if (text.empty()) {
      break;
    }
    found.push_back(first_number(text));
  }
  return found;
}

}  // namespace

bool emulated() {
  utsname system{};
  const std::string native = read("/proc/sys/kernel/arch");
  return uname(&system) == 0 && !native.empty() && native != system.machine;
}

json machine() {
  utsname system{};
  uname(&system);
  const auto cpu = fields(read("/proc/cpuinfo"));
  std::string name = system.machine;
  for (const char* key : {"model name", "Model", "Hardware", "CPU part"}) {
    if (const auto found = cpu.find(key); found != cpu.end() && !found->second.empty()) {
      name = found->second;
      break;
    }
  }
  const auto memory = fields(read("/proc/meminfo"));
  const auto total = memory.find("MemTotal");
  const std::string release = system.release;
  return {
      {"arch", system.machine},
      {"cpu", name},
      {"isa", instruction_sets(cpu)},
      {"device_model", read("/proc/device-tree/model")},
      {"cores", sysconf(_SC_NPROCESSORS_ONLN)},
      {"memory_mb", total == memory.end() ? 0 : static_cast<long>(first_number(total->second) * 1024 / 1e6)},
      {"os", std::string(system.sysname) + " " + release.substr(0, release.find('-'))},
      {"governor", read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")},
      {"emulated", emulated()},
  };
}

json surroundings() {
  json found;
  const std::string load = read("/proc/loadavg");
  found["load"] = load.empty() ? json() : json(first_number(load));
  found["frequency_khz"] = numbers("/sys/devices/system/cpu", "cpu", "cpufreq/scaling_cur_freq");
  found["temperature_millicelsius"] = numbers("/sys/class/thermal", "thermal_zone", "temp");
  std::istringstream line(read("/proc/stat"));
  std::string word;
  line >> word;
  std::vector<double> ticks;
  for (double value = 0; word == "cpu" && ticks.size() < 8 && line >> value;) {
    ticks.push_back(value);
  }
  double all = 0;
  for (const double value : ticks) {
    all += value;
  }
  found["ticks"] = ticks.empty() ? json() : json(all);
  found["stolen_ticks"] = ticks.size() < 8 ? json() : json(ticks[7]);
  return found;
}

double peak_memory_mb() {
  const auto status = fields(read("/proc/self/status"));
  const auto found = status.find("VmHWM");
  return found == status.end() ? 0 : first_number(found->second) * 1024 / 1e6;
}
