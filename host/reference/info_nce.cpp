#include "host/reference/backend.hpp"
#include "tern/error.hpp"

namespace tern::reference {

void ReferenceBackend::info_nce(Triplets& /*triplets*/, const InfoNceOptions& /*options*/,
                                Side /*side*/, const Matrix& /*views*/, const Matrix& /*others*/,
                                Matrix& /*grad_views*/, Matrix& /*grad_others*/,
                                Matrix& /*losses*/) {
  throw DeviceError("info_nce: not on this backend yet");
}

}  // namespace tern::reference
