#pragma once

#include <optional>

#include "tern/trainer.hpp"

namespace tern {

/// What a job asks of the other processes that train it, if there are several. All of them call each
/// method in the same order.
class JobRanks {
 public:
  virtual ~JobRanks() = default;

  virtual bool several() const noexcept { return size() > 1; }
  virtual int size() const noexcept = 0;
  /// Whether this process prints, writes, and decides what depends on the clock or on files.
  virtual bool leads() const = 0;
  /// The bits that any rank sets.
  virtual unsigned any(unsigned bits) = 0;
  /// The leader's state.
  virtual void share(std::optional<TrainingState>& leaders) = 0;
};

}  // namespace tern
