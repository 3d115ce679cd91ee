#pragma once

#include "host/support/parallel.hpp"

namespace tern {

/// Prepares OpenBLAS for products that the threads of this pool compute, each thread its own.
/// OpenBLAS then starts no threads: a result would depend on their number.
/// Under a limit of the address space (ulimit -v), OpenBLAS waits forever for memory that a product
/// cannot get. This checks that each thread of the pool can have it and a stack, and makes the pool
/// start its threads and OpenBLAS allocate now. Throws MemoryError.
void prepare_blas(ThreadPool& pool);

}  // namespace tern
