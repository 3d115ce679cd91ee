#include "tests/simt_backend/simt_backend.hpp"

#include "cuda/backend.hpp"
#include "cuda/support/nccl.hpp"
#include "simt/runtime/device.hpp"
#include "simt/runtime/nccl.hpp"

namespace tern::test {

std::unique_ptr<Backend> make_simt_backend(const SimtOptions& options) {
  // In the order of SimtDevice. Set once, so that several backends may exist at a time.
  simt::set_devices({
      {.name = "Emulated GPU", .seed = 1},
      {.name = "Emulated late GPU",
       .multiprocessors = 5,
       .cache_bytes = 1 << 14,
       .seed = 20,
       .timing = simt::Timing::late},
      {.name = "Emulated serial GPU",
       .seed = 3,
       .workers = 1,
       .order = simt::LaunchOrder::same,
       .memory_pools = false},
  });
  cuda::CudaOptions cuda_options;
  cuda_options.device = static_cast<int>(options.device);
  if (options.fused) cuda_options.reproducibility = Reproducibility::kNone;
  cuda_options.plan_bytes = options.plan_bytes;
  if (options.result_bytes > 0) cuda_options.result_bytes = options.result_bytes;
  if (options.mask_bytes > 0) cuda_options.mask_bytes = options.mask_bytes;
  const cuda::NcclApi nccl = cuda::nccl_api(simt::nccl_symbol);
  cuda_options.ranks = options.ranks;
  cuda_options.nccl = &nccl;
  return std::make_unique<cuda::CudaBackend>(cuda_options);
}

}  // namespace tern::test
