#include "host/cpu/backend.hpp"
#include "tern/error.hpp"

namespace tern::cpu {

void CpuBackend::perturb(const PerturbOptions& /*options*/, const Counter& /*step*/,
                         Matrix& /*values*/, const RowSet* /*rows*/) {
  throw DeviceError("perturb: not on this backend yet");
}

}  // namespace tern::cpu
