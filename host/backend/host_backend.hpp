#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "host/backend/checks.hpp"
#include "tern/backend.hpp"
#include "tern/memory.hpp"

namespace tern {

/// The base of backends on the CPU, whose ops have finished when they return.
class HostBackend : public Backend {
 public:
  MemoryInfo memory() const override { return host_memory(); }

  void synchronize() override { expect_not_recording("synchronize"); }

  double seconds(const std::function<void()>& work) override {
    expect_not_recording("seconds");
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  std::unique_ptr<Recording> record(std::function<void()> step) override {
    check_record(step);
    expect_not_recording("record");
    return std::make_unique<Steps>(*this, std::move(step));
  }

 protected:
  /// Throws ShapeError if a recorded step is running: its ops must not do this. A CPU could, but the fault
  /// would be found only on a GPU.
  void expect_not_recording(std::string_view op) const {
    if (recording_) throw_in_recorded_step(op);
  }

 private:
  class Steps final : public Recording {
   public:
    Steps(HostBackend& backend, std::function<void()> step)
        : backend_(backend), step_(std::move(step)) {}

    void replay() override {
      backend_.expect_not_recording("replay");
      const Running running(backend_);
      step_();
    }

   private:
    struct Running {
      explicit Running(HostBackend& backend) : backend_(backend) { backend_.recording_ = true; }
      ~Running() { backend_.recording_ = false; }
      Running(const Running&) = delete;
      Running& operator=(const Running&) = delete;
      HostBackend& backend_;
    };

    HostBackend& backend_;
    std::function<void()> step_;
  };

  bool recording_ = false;
};

}  // namespace tern
