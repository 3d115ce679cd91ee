#include "bench/support/plugin.hpp"

#include "bench/variants/cuda/cuda_device.hpp"
#include "bench/variants/cuda/rivals.hpp"

// The one symbol that tern-bench looks up after loading this library.

namespace tern::bench {
namespace {

void add_rivals(Cases& cases) {
  add_propagate_cusparse(cases);
  add_propagate_kernels(cases);
  add_bpr_cub(cases);
  add_in_batch_softmax_cublas(cases);
  add_optimizer_rivals(cases);
  add_score_topk_cublas(cases);
  add_embedding_statistics_cublas(cases);
}

std::unique_ptr<Device> make_device(Backend& backend) {
  return std::make_unique<CudaDevice>(backend);
}

constexpr BenchPlugin kPlugin{kBenchPluginAbi, add_rivals, make_device};

}  // namespace
}  // namespace tern::bench

extern "C" __attribute__((visibility("default"))) const tern::bench::BenchPlugin*
tern_bench_plugin() {
  return &tern::bench::kPlugin;
}
