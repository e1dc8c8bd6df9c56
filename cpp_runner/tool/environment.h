// What this machine is and does: the facts that decide whether a measurement counts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

// Architecture, processor, instruction sets that matter to INT8, cores, memory, system, governor, emulation.
nlohmann::json machine();

// Whether an emulator runs this program: then no time means anything.
bool emulated();

// What goes on at this moment; what is unknown is null or an empty list. `root` is the directory that holds /proc, /sys
// and /var, empty for this machine's own.
//   load                     of the last minute
//   governor                 of the first processor's frequency
//   frequency_khz            of each processor, and frequency_limit_khz: the most it may have now
//   temperature_millicelsius of each thermal zone
//   cooling                  the highest state of a device that cools by slowing the processor; 0: none does
//   throttle_count           how often x86 processors were slowed by heat so far
//   throttled                the bits of `get_throttled` of a Raspberry Pi
//   power_mode, clocks_fixed of a Jetson: nvpmodel's mode, and whether no frequency may change (jetson_clocks)
//   ticks, idle_ticks, stolen_ticks  processor time of the whole machine so far, in 1 / ticks_per_second
//   process_ms               processor time of this program so far
nlohmann::json environment(const std::string& root = "");

// The most memory that was resident at once, in MB (10^6 bytes); 0 where unknown.
double peak_memory_mb();
