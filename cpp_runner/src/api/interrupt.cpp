#include "api/interrupt.h"

#include <utility>

namespace edge_ptf::core {

Watchdog::Watchdog(std::chrono::milliseconds limit, std::function<void()> act)
    : limit_(limit), act_(std::move(act)), thread_([this] { watch(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::start() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    end_ = std::chrono::steady_clock::now() + limit_;
    is_armed_ = true;
  }
  changed_.notify_all();
}

void Watchdog::stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  is_armed_ = false;
}

void Watchdog::watch() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!is_closing_) {
    if (!is_armed_) {
      changed_.wait(lock);
    } else if (std::chrono::steady_clock::now() >= end_) {
      is_armed_ = false;
      act_();  // under the lock, so that stop() waits for it
    } else {
      changed_.wait_until(lock, end_);
    }
  }
}

}  // namespace edge_ptf::core
