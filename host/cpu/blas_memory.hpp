#pragma once

namespace tern::cpu {

/// Under a limit of the address space (ulimit -v), OpenBLAS waits forever for memory that a product
/// cannot get, and libgomp ends the process if it cannot start a thread. This checks that `threads`
/// threads can have both, and makes the libraries allocate now. Throws MemoryError.
void reserve_blas_memory(int threads);

}  // namespace tern::cpu
