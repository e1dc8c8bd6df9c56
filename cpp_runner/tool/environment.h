// What this machine is and does: the facts that decide whether a measurement counts.
#pragma once

#include <nlohmann/json.hpp>

// Architecture, processor, instruction sets that matter to INT8, cores, memory, system, governor, emulation.
nlohmann::json machine();

// Whether an emulator runs this program: then no time means anything.
bool emulated();

// Load of the last minute, temperatures, frequencies, and processor time spent and stolen so far; what is unknown is
// null.
nlohmann::json surroundings();

// The most memory that was resident at once, in MB (10^6 bytes); 0 where unknown.
double peak_memory_mb();
