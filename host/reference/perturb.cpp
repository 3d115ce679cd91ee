#include "host/reference/backend.hpp"
#include "tern/error.hpp"

namespace tern::reference {

void ReferenceBackend::perturb(const PerturbOptions& /*options*/, const Counter& /*step*/,
                               Matrix& /*values*/, const RowSet* /*rows*/) {
  throw DeviceError("perturb: not on this backend yet");
}

}  // namespace tern::reference
