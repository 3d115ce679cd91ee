// The mask of observed pairs of in_batch_softmax, SoftmaxMask::kObserved, as one bit a pair: whether
// the user of row t has the item of column j. The passes over tiles (pair_tiles.cu) read it twice or
// more; without it each of their logits would search the user's interactions, some eight loads that
// wait for each other, in a kernel with few warps.
//
// A block handles a row: the user's interactions stay in its L1 cache. A lane searches for the items of
// four columns at once, 32 columns apart, in the same number of steps, so that four loads are in flight.
// A word is two ballots of a warp. P·C/8 bytes written.

#include "cuda/ops/in_batch_softmax.hpp"
#include "cuda/support/group.cuh"
#include "cuda/support/launch.hpp"

namespace tern::cuda {
namespace {

constexpr int kObservedThreads = 256;
constexpr int kObservedKeys = 4;  // of a lane: 128 columns, two words of a warp
constexpr int kObservedStretch = 32 * kObservedKeys;

/// Whether a sorted row, (degree), has each of a lane's items.
__device__ inline void find_items(const NodeId* row, int degree,
                                  const NodeId (&items)[kObservedKeys],
                                  bool (&found)[kObservedKeys]) {
  int at[kObservedKeys] = {};
  // The item is at `at`, or behind it among the `left` elements from there on, or nowhere.
  for (int left = degree; left > 1;) {
    const int half = left / 2;
#pragma unroll
    for (int k = 0; k < kObservedKeys; ++k) {
      if (__ldg(row + at[k] + half - 1) < items[k]) at[k] += half;
    }
    left -= half;
  }
#pragma unroll
  for (int k = 0; k < kObservedKeys; ++k) found[k] = degree > 0 && __ldg(row + at[k]) == items[k];
}

/// One block a row of left.
__global__ void __launch_bounds__(kObservedThreads)
    in_batch_softmax_observed_kernel(const __grid_constant__ PairTiles task) {
  const std::int64_t t = blockIdx.x;
  if (t >= task.rows()) return;
  const NodeId user = task.keys[0][t];
  const NodeId* row = task.observed.columns + task.observed.offsets[user];
  const int degree = static_cast<int>(task.observed.degree(user));
  const auto columns = static_cast<int>(task.columns());
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  for (int first = warp * kObservedStretch; first < columns;
       first += kObservedThreads / 32 * kObservedStretch) {
    NodeId items[kObservedKeys];
#pragma unroll
    for (int k = 0; k < kObservedKeys; ++k) {
      const int column = first + 32 * k + lane;
      items[k] = column < columns ? task.keys[1][column] : -1;  // nobody has item -1
    }
    bool found[kObservedKeys];
    find_items(row, degree, items, found);
#pragma unroll
    for (int k = 0; k < kObservedKeys; k += 2) {
      const std::uint64_t low = __ballot_sync(kFullWarp, found[k]);
      const std::uint64_t high = __ballot_sync(kFullWarp, found[k + 1]);
      const int column = first + 32 * k;
      if (lane == 0 && column < columns) {
        task.observed_words[task.observed_word(t, column / kPairTile)] = high << 32 | low;
      }
    }
  }
}

}  // namespace

void launch_in_batch_softmax_observed(const Queue& queue, const InBatchSoftmaxTask& task) {
  Launcher{queue}({.blocks = task.sizes[0], .threads = kObservedThreads},
                  in_batch_softmax_observed_kernel, task);
}

}  // namespace tern::cuda
