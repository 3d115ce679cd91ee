#include "host/cpu/backend.hpp"
#include "tern/error.hpp"

namespace tern::cpu {

void CpuBackend::alignment_uniformity(Triplets& /*triplets*/,
                                      const AlignmentUniformityOptions& /*options*/,
                                      const Matrix& /*users*/, const Matrix& /*items*/,
                                      Matrix& /*grad_users*/, Matrix& /*grad_items*/,
                                      Matrix& /*losses*/) {
  throw DeviceError("alignment_uniformity: not on this backend yet");
}

}  // namespace tern::cpu
