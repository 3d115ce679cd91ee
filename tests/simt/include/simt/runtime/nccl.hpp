// The emulated NCCL, for programs that load it and find its functions by name.
#pragma once

#include <cstddef>

namespace simt {

/// The emulated function of this name; null if there is none.
void* nccl_symbol(const char* name);

/// Bytes that all ranks have sent to others so far, as collectives were carried out: a block that P - 1 ranks
/// need counts P - 1 times.
std::size_t exchanged_bytes();

/// Ranks that wait for others in a collective now.
int waiting_ranks();

}  // namespace simt
