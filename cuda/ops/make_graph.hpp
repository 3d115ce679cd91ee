#pragma once

#include <cstddef>
#include <cstdint>

#include "tern/view.hpp"

namespace tern::cuda {

struct Queue;

/// Rᵀ from R; all pointers on the device, E = entries.
struct TransposeTask {
  CsrView csr;  // R
  EdgeOffset size = 0;
  NodeId* rows = nullptr;         // (E) workspace: the row of each entry
  NodeId* sorted = nullptr;       // (E) workspace: the columns of R, ascending
  EdgeOffset* offsets = nullptr;  // (columns + 1) of Rᵀ
  NodeId* columns = nullptr;      // (E) of Rᵀ: ascending within a row
};

/// Bytes of temporary storage that transposing so many entries takes.
std::size_t transpose_bytes(EdgeOffset size);
/// A stable sort of the entries by column: exact, the same result as the host's.
void launch_transpose(const Queue& queue, const TransposeTask& task, void* temporary,
                      std::size_t bytes);

/// R as CSR from pairs in any order, repeats kept once; all pointers on the device, E = pairs. For
/// edge lists that are on the device already; the seam's make_graph gets a CSR from the host.
struct PairsTask {
  const Interaction* pairs = nullptr;
  EdgeOffset size = 0;
  NodeId num_users = 0;
  NodeId num_items = 0;
  std::uint64_t* keys = nullptr;      // (E) workspace: user << 32 | item
  std::uint64_t* sorted = nullptr;    // (E) workspace
  EdgeOffset* unique_size = nullptr;  // (1): entries of R
  EdgeOffset* offsets = nullptr;      // (users + 1) of R
  NodeId* columns = nullptr;          // (E at the most) of R: ascending within a row
};

/// Bytes of temporary storage that so many pairs take.
std::size_t pairs_bytes(EdgeOffset size);
void launch_pairs(const Queue& queue, const PairsTask& task, void* temporary, std::size_t bytes);

/// scale[row] = 1/sqrt(degree), 0 for degree 0, from f64.
void launch_degree_scale(const Queue& queue, const EdgeOffset* offsets, NodeId num_rows,
                         float* scale);

}  // namespace tern::cuda
