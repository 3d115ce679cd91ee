#include "cuda/ops/embedding_statistics.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_embedding_statistics(const Queue& queue, const EmbeddingStatisticsTask& task) {
  run_embedding_statistics(Launcher(queue), task);
}

}  // namespace tern::cuda
