#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "host/backend/checks.hpp"
#include "tern/backend.hpp"
#include "tern/memory.hpp"

namespace tern {

/// The base of backends on the CPU, whose ops have finished when they return.
class HostBackend : public Backend {
 public:
  MemoryInfo memory() const override { return host_memory(); }

  void synchronize() override {}

  double seconds(const std::function<void()>& work) override {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  std::unique_ptr<Recording> record(std::function<void()> step) override {
    check_record(step);
    return std::make_unique<Steps>(std::move(step));
  }

 private:
  class Steps final : public Recording {
   public:
    explicit Steps(std::function<void()> step) : step_(std::move(step)) {}
    void replay() override { step_(); }

   private:
    std::function<void()> step_;
  };
};

}  // namespace tern
