#pragma once

namespace tern {

// Two libraries do not survive a shortage of memory: libgomp ends the process where a thread cannot
// be started, and OpenBLAS asks again for ever where the block that a product works in is refused.
// Both ask for address space, which only a limit of it (RLIMIT_AS) makes scarce. Where there is
// one, these ask first, and make the libraries take what they need while a refusal can still be
// told; elsewhere they do nothing.

/// Starts the threads that parallel regions of so many threads use; 0: as many as regions take that
/// do not say. Throws MemoryError.
void start_threads(int threads);

/// Makes OpenBLAS take its blocks for products in so many threads at a time. Throws MemoryError.
void reserve_products(int threads);

}  // namespace tern
