#pragma once

#include <cstdint>

namespace tern::cuda {

struct Queue;

/// Adds one, in the order of the queue.
void launch_increment(const Queue& queue, std::int64_t* counter);

}  // namespace tern::cuda
