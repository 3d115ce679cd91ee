#include "cuda/ops/linear_relu_batchnorm.cuh"

#include "cuda/support/launch.hpp"

namespace tern::cuda {

void launch_dense_statistics(const Queue& queue, const DenseStatisticsTask& task) {
  run_dense_statistics(Launcher(queue), task);
}

void launch_dense_running(const Queue& queue, const DenseRunningTask& task) {
  run_dense_running(Launcher(queue), task);
}

void launch_dense_output(const Queue& queue, const DenseOutputTask& task) {
  run_dense_output(Launcher(queue), task);
}

void launch_dense_merge(const Queue& queue, const DenseMergeTask& task) {
  run_dense_merge(Launcher(queue), task);
}

void launch_dense_gradient(const Queue& queue, const DenseGradientTask& task) {
  run_dense_gradient(Launcher(queue), task);
}

}  // namespace tern::cuda
