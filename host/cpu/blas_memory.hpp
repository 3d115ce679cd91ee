#pragma once

#include "host/support/parallel.hpp"

namespace tern::cpu {

/// Under a limit of the address space (ulimit -v), OpenBLAS waits forever for memory that a product
/// cannot get. This checks that each thread of the pool can have it and a stack, and makes the pool start its
/// threads and OpenBLAS allocate now. Throws MemoryError.
void reserve_blas_memory(ThreadPool& pool);

}  // namespace tern::cpu
