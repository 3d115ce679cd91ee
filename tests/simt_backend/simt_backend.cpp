#include "tests/simt_backend/simt_backend.hpp"

#include "cuda/backend.hpp"
#include "simt/runtime/device.hpp"

namespace tern::test {

std::unique_ptr<Backend> make_simt_backend(const SimtOptions& options) {
  // In the order of SimtDevice. The devices stay the same, so that backends may live side by side.
  simt::set_devices({
      {.name = "Emulated GPU", .seed = 1},
      {.name = "Emulated late GPU",
       .multiprocessors = 5,
       .cache_bytes = 1 << 14,
       .seed = 20,
       .timing = simt::Timing::late},
      {.name = "Emulated serial GPU", .seed = 3, .workers = 1, .order = simt::LaunchOrder::same},
  });
  return std::make_unique<cuda::CudaBackend>(cuda::CudaOptions{
      .device = static_cast<int>(options.device),
      .reproducibility = options.fused ? Reproducibility::kNone : Reproducibility::kBitwise,
      .plan_bytes = options.plan_bytes});
}

}  // namespace tern::test
