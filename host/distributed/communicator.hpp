#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tern::distributed {

/// Bytes that a rank has exchanged in collective calls since it joined.
struct Traffic {
  std::int64_t sent = 0;
  std::int64_t received = 0;
};

/// The ranks of one training: processes, numbered from 0, that run the same program on the same data.
/// Every method but rank(), size(), place_of(), traffic() and fail() is collective: all ranks call it,
/// in the same order and with the same sizes, and it returns when this rank has its result. The results
/// have the same bits on every rank and in every run. A collective call throws Error, naming rank, host
/// and reason, if a rank is lost; no later call succeeds then.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
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
  /// bytes := those of this rank.
  virtual void broadcast(std::span<std::byte> bytes, int from) = 0;
  /// Returns when all ranks have called it.
  void barrier();

  /// Ends the training on all ranks: their collective calls throw an Error with this rank's place and the
  /// reason. For a rank that cannot go on.
  virtual void fail(std::string_view reason) = 0;
};

}  // namespace tern::distributed
