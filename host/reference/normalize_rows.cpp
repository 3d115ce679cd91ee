#include <stdexcept>

#include "host/reference/backend.hpp"

namespace tern::reference {

void ReferenceBackend::normalize_rows(const Matrix& /*x*/, Matrix& /*y*/, const RowSum& /*sum*/) {
  throw std::logic_error("normalize_rows");
}

void ReferenceBackend::normalize_rows_backward(const Matrix& /*x*/, const Matrix& /*grad_y*/,
                                               Matrix& /*grad_x*/, const RowAddend& /*addend*/) {
  throw std::logic_error("normalize_rows_backward");
}

}  // namespace tern::reference
