#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "environment.h"

namespace {

// A directory with files like those of /proc and /sys.
class System {
 public:
  explicit System(const std::map<std::string, std::string>& files)
      : folder_(std::filesystem::temp_directory_path() / ("edge-ptf-environment-" + std::to_string(getpid()))) {
    for (const auto& [name, content] : files) {
      const std::filesystem::path path = folder_ / name;
      std::filesystem::create_directories(path.parent_path());
      std::ofstream(path) << content << '\n';
    }
  }
  ~System() { std::filesystem::remove_all(folder_); }
  System(const System&) = delete;
  System& operator=(const System&) = delete;
  std::string root() const { return folder_.string(); }

 private:
  std::filesystem::path folder_;
};

}  // namespace

TEST_CASE("the facts of a board are read") {
  const System board({
      {"proc/loadavg", "0.52 0.40 0.30 1/200 1234"},
      {"proc/stat", "cpu  10 20 30 400 50 6 7 80 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0"},
      {"sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1500000"},
      {"sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq", "2400000"},
      {"sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "2400000"},
      {"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand"},
      {"sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq", "2400000"},
      {"sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3"},
      {"sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "4"},
      {"sys/class/thermal/thermal_zone0/temp", "51234"},
      {"sys/class/thermal/thermal_zone2/temp", "-2000"},
      {"sys/class/thermal/cooling_device0/type", "pwm-fan"},
      {"sys/class/thermal/cooling_device0/cur_state", "4"},
      {"sys/class/thermal/cooling_device1/type", "cpufreq-cpu0"},
      {"sys/class/thermal/cooling_device1/cur_state", "2"},
      {"sys/bus/platform/drivers/raspberrypi-firmware/soc:firmware/get_throttled", "50005"},
      {"var/lib/nvpmodel/status", "pmode:0002"},
      {"etc/nvpmodel.conf", "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=2 NAME=15W >\nCPU_ONLINE CORE_1 1"},
  });
  const nlohmann::json found = environment(board.root());
  CHECK(found["load"] == 0.52);
  CHECK(found["governor"] == "ondemand");
  CHECK(found["frequency_khz"] == nlohmann::json{1500000.0, 2400000.0});
  CHECK(found["frequency_limit_khz"] == nlohmann::json::array({2400000.0}));
  CHECK(found["temperature_millicelsius"] == nlohmann::json{51234.0, -2000.0});
  CHECK(found["cooling"] == 2);
  CHECK(found["throttle_count"] == 7);
  CHECK(found["throttled"] == 0x50005);
  CHECK(found["power_mode"] == "15W");
  CHECK(found["clocks_fixed"] == true);
  CHECK(found["ticks"] == 603);
  CHECK(found["idle_ticks"] == 450);
  CHECK(found["stolen_ticks"] == 80);
  CHECK(found["ticks_per_second"] > 0);
  CHECK(found["process_ms"] >= 0);
}

TEST_CASE("what a system does not say is unknown") {
  const nlohmann::json found = environment(System({}).root());
  for (const char* name :
       {"load", "cooling", "throttle_count", "throttled", "clocks_fixed", "ticks", "idle_ticks", "stolen_ticks"}) {
    CAPTURE(name);
    CHECK(found[name].is_null());
  }
  CHECK(found["frequency_khz"].empty());
  CHECK(found["temperature_millicelsius"].empty());
  CHECK(found["governor"] == "");
  CHECK(found["power_mode"] == "");
}

TEST_CASE("an emulator is noticed, and time is counted") {
  CHECK(emulated() == EDGE_PTF_EMULATED);
  const nlohmann::json before = environment();
  const nlohmann::json after = environment();
  CHECK(after["ticks"] >= before["ticks"]);
  CHECK(peak_memory_mb() > 1);
}
