#include "cuda/backend.hpp"
#include "tern/error.hpp"

namespace tern::cuda {

void CudaBackend::sampled_contrast(Triplets& /*triplets*/,
                                   const SampledContrastOptions& /*options*/,
                                   const Matrix& /*users*/, const Matrix& /*items*/,
                                   Matrix& /*grad_users*/, Matrix& /*grad_items*/,
                                   Matrix& /*losses*/) {
  throw DeviceError("sampled_contrast: not on this backend yet");
}

}  // namespace tern::cuda
