#pragma once

#include <functional>
#include <utility>

#include "tern/backend.hpp"

namespace tern {

/// The recording of a backend whose ops run when they are called: replay() calls the step.
class PlainRecording final : public Recording {
 public:
  explicit PlainRecording(std::function<void()> step) : step_(std::move(step)) {}
  void replay() override { step_(); }

 private:
  std::function<void()> step_;
};

}  // namespace tern
