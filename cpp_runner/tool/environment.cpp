#include "environment.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

namespace {

using nlohmann::json;

constexpr int kMostFiles = 256;  // largest number of files of one kind in a folder of /sys

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

// Lines of the form "name : value". The first line of a name counts.
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
  const std::string first = parent + "/" + prefix;
  const std::string last = "/" + file;
  json found = json::array();
  for (int i = 0; i < kMostFiles; ++i) {
    std::string path = first;
    path.append(std::to_string(i)).append(last);
    const std::string text = read(path);
    if (!text.empty()) {  // a processor may be off, a sensor may fail
      found.push_back(first_number(text));
    }
  }
  return found;
}

// Processor time of the machine and of this program.
json processor_time(const std::string& root) {
  std::istringstream line(read(root + "/proc/stat"));
  std::string word;
  line >> word;
  std::vector<double> ticks;
  for (double value = 0; word == "cpu" && ticks.size() < 8 && line >> value;) {
    ticks.push_back(value);
  }
  const bool whole = ticks.size() == 8;  // user, nice, system, idle, waiting for devices, interrupts (2), stolen
  return {
      {"ticks", ticks.empty() ? json() : json(std::accumulate(ticks.begin(), ticks.end(), 0.0))},
      {"idle_ticks", whole ? json(ticks[3] + ticks[4]) : json()},
      {"stolen_ticks", whole ? json(ticks[7]) : json()},
      {"ticks_per_second", sysconf(_SC_CLK_TCK)},
      {"process_ms", 1000.0 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC},
  };
}

// Devices named after a processor cool by slowing it. Fans are ignored, as they do not reduce speed.
json cooling(const std::string& root) {
  json highest;
  const std::string folder = root + "/sys/class/thermal/cooling_device";
  for (int i = 0; i < kMostFiles; ++i) {
    const std::string type = read(folder + std::to_string(i) + "/type");
    const std::string state = read(folder + std::to_string(i) + "/cur_state");
    if (!state.empty() && (type.find("cpufreq") != std::string::npos || type == "Processor")) {
      const double value = first_number(state);
      highest = highest.is_null() ? json(value) : json(std::max(value, highest.get<double>()));
    }
  }
  return highest;
}

// The kernel's form of `vcgencmd get_throttled`, hexadecimal without a prefix.
json throttled(const std::string& root) {
  std::error_code missing;
  const std::string driver = root + "/sys/bus/platform/drivers/raspberrypi-firmware";
  std::string text = read(root + "/sys/devices/platform/soc/soc:firmware/get_throttled");
  for (std::filesystem::directory_iterator entry(driver, missing), end; text.empty() && entry != end; ++entry) {
    text = read(entry->path().string() + "/get_throttled");
  }
  return text.empty() ? json() : json(std::strtol(text.c_str(), nullptr, 16));
}

// nvpmodel stores "pmode:0002". Its configuration has the names of the modes: < POWER_MODEL ID=2 NAME=15W >.
std::string power_mode(const std::string& root) {
  const auto status = fields(read(root + "/var/lib/nvpmodel/status"));
  const auto mode = status.find("pmode");
  if (mode == status.end() || mode->second.empty()) {
    return "";
  }
  std::string number = std::to_string(std::strtol(mode->second.c_str(), nullptr, 10));
  std::istringstream lines(read(root + "/etc/nvpmodel.conf"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    std::string name;
    bool chosen = false;
    while (words >> word) {
      chosen = chosen || word == "ID=" + number;
      name = word.compare(0, 5, "NAME=") == 0 ? word.substr(5) : name;
    }
    if (chosen && line.find("POWER_MODEL") != std::string::npos && !name.empty()) {
      return name;
    }
  }
  return number;
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

json environment(const std::string& root) {
  const std::string cpus = root + "/sys/devices/system/cpu";
  json found = processor_time(root);
  const std::string load = read(root + "/proc/loadavg");
  found["load"] = load.empty() ? json() : json(first_number(load));
  found["governor"] = read(cpus + "/cpu0/cpufreq/scaling_governor");
  found["frequency_khz"] = numbers(cpus, "cpu", "cpufreq/scaling_cur_freq");
  found["frequency_limit_khz"] = numbers(cpus, "cpu", "cpufreq/scaling_max_freq");
  found["temperature_millicelsius"] = numbers(root + "/sys/class/thermal", "thermal_zone", "temp");
  found["cooling"] = cooling(root);
  const json slowed = numbers(cpus, "cpu", "thermal_throttle/core_throttle_count");
  found["throttle_count"] =
      slowed.empty() ? json()
                     : json(std::accumulate(slowed.begin(), slowed.end(), 0.0,
                                            [](double sum, const json& one) { return sum + one.get<double>(); }));
  found["throttled"] = throttled(root);
  found["power_mode"] = power_mode(root);
  const json least = numbers(cpus, "cpu", "cpufreq/scaling_min_freq");
  found["clocks_fixed"] = least.empty() ? json() : json(least == found["frequency_limit_khz"]);
  return found;
}

double peak_memory_mb() {
  const auto status = fields(read("/proc/self/status"));
  const auto found = status.find("VmHWM");
  return found == status.end() ? 0 : first_number(found->second) * 1024 / 1e6;
}
