#include <stdexcept>

#include "cuda/backend.hpp"

namespace tern::cuda {

void CudaBackend::normalize_rows(const Matrix& /*x*/, Matrix& /*y*/, const RowSum& /*sum*/) {
  throw std::logic_error("normalize_rows");
}

void CudaBackend::normalize_rows_backward(const Matrix& /*x*/, const Matrix& /*grad_y*/,
                                          Matrix& /*grad_x*/, const RowAddend& /*addend*/) {
  throw std::logic_error("normalize_rows_backward");
}

}  // namespace tern::cuda
