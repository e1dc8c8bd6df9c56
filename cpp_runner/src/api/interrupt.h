// Stops an answer that is being made: on request of another thread, or at a deadline.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace edge_ptf::core {

enum class Stop : uint8_t { kNo, kCancelled, kDeadline };

// A thread that calls a function when an answer has taken too long.
class Watchdog {
 public:
  Watchdog(std::chrono::milliseconds limit, std::function<void()> act);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void start();
  void stop();  // after this call the function is not called any more, until the next start

 private:
  void watch();

  const std::chrono::milliseconds limit_;
  const std::function<void()> act_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::chrono::steady_clock::time_point end_;
  bool is_armed_ = false;
  bool is_closing_ = false;
  std::thread thread_;  // the last member: it uses the others
};

}  // namespace edge_ptf::core
