#include "cuda/backend.hpp"
#include "tern/error.hpp"

namespace tern::cuda {

void CudaBackend::perturb(const PerturbOptions& /*options*/, const Counter& /*step*/,
                          Matrix& /*values*/, const RowSet* /*rows*/) {
  throw DeviceError("perturb: not on this backend yet");
}

}  // namespace tern::cuda
