#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "tern/error.hpp"

namespace tern::cpu {

void CpuBackend::in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                                  const Matrix& users, const Matrix& items, Matrix& grad_users,
                                  Matrix& grad_items, Matrix& losses) {
  check_in_batch_softmax(triplets, options, users, items, grad_users, grad_items, losses);
  throw Error("in_batch_softmax: not implemented yet");
}

}  // namespace tern::cpu
