#pragma once

#include "tern/backend.hpp"

namespace tern {

/// What this process can still allocate on the host, in bytes: the least of what the kernel calls
/// available (MemAvailable), what the memory limits of its control group and of the groups above
/// leave (versions 1 and 2; the page cache of files counts as free), and what its address space
/// may still grow by (RLIMIT_AS). total is the least of the same limits. A source that cannot be
/// read limits nothing.
MemoryInfo host_memory();

}  // namespace tern
