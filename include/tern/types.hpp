#pragma once

#include <compare>
#include <cstdint>

/// Marks the few functions that kernels and host code share; empty outside of CUDA compilation.
#if defined(__CUDACC__)
#define TERN_HD __host__ __device__
#else
#define TERN_HD
#endif

namespace tern {

/// A row of the user table or of the item table. 32 bits: gathers read an id for each row.
using NodeId = std::int32_t;

/// A position in a CSR. 64 bits, like every product of sizes.
using EdgeOffset = std::int64_t;

/// The two node sets of the bipartite graph.
enum class Side : std::uint8_t { kUser, kItem };

constexpr Side opposite(Side side) {
  return side == Side::kUser ? Side::kItem : Side::kUser;
}

/// The key of every random stream of a job.
struct Seed {
  std::uint64_t value = 0;
  friend bool operator==(Seed, Seed) = default;
};

/// One observed pair: an entry of R.
struct Interaction {
  NodeId user = 0;
  NodeId item = 0;
  friend auto operator<=>(const Interaction&, const Interaction&) = default;
};

/// The negative of a pair: a triplet that was drawn without a negative.
inline constexpr NodeId kNoItem = -1;

/// One training example: `user` has interacted with `positive`, but not with `negative`. A pair has
/// kNoItem as its negative.
struct Triplet {
  NodeId user = 0;
  NodeId positive = 0;
  NodeId negative = 0;
  friend auto operator<=>(const Triplet&, const Triplet&) = default;
};

}  // namespace tern
