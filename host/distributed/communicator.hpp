#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "host/backend/rank_group.hpp"
#include "tern/error.hpp"

namespace tern::distributed {

/// Another rank is lost: it has ended, is silent, hangs, or has failed.
class LostRank : public Error {
 public:
  LostRank(const std::string& reason, int code) : Error(reason), code_(code) {}
  /// The exit code that all ranks end with: that of the rank that failed, or 1.
  int code() const noexcept { return code_; }

 private:
  int code_;
};

/// A lost rank that rank 0 reports: the other ranks need not print it again.
class ReportedLoss : public LostRank {
 public:
  using LostRank::LostRank;
};

/// Bytes that a rank has exchanged in collective calls since it joined.
struct Traffic {
  std::int64_t sent = 0;
  std::int64_t received = 0;
};

/// The ranks of one training: processes, numbered from 0, that run the same program on the same data.
/// barrier(), broadcast(), all_reduce(), reduce_scatter() and all_gather() are collective: all ranks call
/// them in the same order and with the same sizes, and each returns when this rank has its result. The results
/// have the same bits on every rank and in every run. A collective call throws LostRank, naming rank, host
/// and reason, if a rank is lost; no later call succeeds then.
class Communicator : public RankGroup {
 public:
  /// "rank 2 on host node7", for messages.
  virtual std::string place_of(int rank) const = 0;
  virtual Traffic traffic() const = 0;

  /// values[i] := Σ_r values_r[i], added in ascending order of the ranks.
  virtual void all_reduce(std::span<double> values) = 0;
  /// own := Σ_r of the block that belongs to this rank, added in f64 in ascending order of the ranks and
  /// rounded once. values: the blocks for all ranks, end to end in ascending order of the ranks. counts:
  /// the elements of each block, the same on all ranks; own has counts[rank()] elements.
  virtual void reduce_scatter(std::span<const float> values, std::span<const std::size_t> counts,
                              std::span<float> own) = 0;
  /// all := the blocks of all ranks, end to end in ascending order of the ranks. sizes: the bytes of each
  /// block, the same on all ranks; own has sizes[rank()] bytes, all has their sum.
  virtual void all_gather(std::span<const std::byte> own, std::span<const std::size_t> sizes,
                          std::span<std::byte> all) = 0;
  /// Returns when all ranks have called it.
  void barrier();

  /// Ends the training on all ranks: their collective calls throw LostRank with this rank's place, the
  /// reason and the exit code. For a rank that cannot go on.
  virtual void fail(std::string_view reason, int code = 1) = 0;
};

}  // namespace tern::distributed
