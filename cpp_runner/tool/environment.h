// Facts about this machine and its state. They decide whether a measurement counts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

// Architecture, processor, instruction sets that matter to INT8, cores, memory, system, governor, emulation.
nlohmann::json machine();

// Whether an emulator runs this program. Times then have no meaning.
bool emulated();

// The current state. Unknown facts are null or an empty list. `root` is the directory that contains /proc, /sys and
// /var; empty for those of this machine.
//   load                     load average of the last minute
//   governor                 frequency governor of the first processor
//   frequency_khz            frequency of each processor; frequency_limit_khz: its current limit
//   temperature_millicelsius temperature of each thermal zone
//   cooling                  highest state of a cooling device that slows the processor; 0: none is active
//   throttle_count           how often heat has slowed x86 processors so far
//   throttled                bits of `get_throttled` of a Raspberry Pi
//   power_mode, clocks_fixed of a Jetson: nvpmodel's mode, and whether all frequencies are fixed (jetson_clocks)
//   ticks, idle_ticks, stolen_ticks  processor time of the whole machine so far, in 1 / ticks_per_second
//   process_ms               processor time of this program so far
nlohmann::json environment(const std::string& root = "");

// Peak resident memory in MB (10^6 bytes); 0 if unknown.
double peak_memory_mb();
