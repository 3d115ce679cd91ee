#include "cuda/backend.hpp"
#include "cuda/ops/dropout.hpp"
#include "host/checks.hpp"

// Dropout. Nothing here waits.

namespace tern::cuda {

void CudaBackend::dropout(const DropoutOptions& options, const Counter& step, Matrix& values) {
  const Range range("dropout");
  check_dropout(options, step, values);
  const DeviceScope scope = use_device();
  const DropoutTask task{.options = options,
                         .threshold = dropout_threshold(options.probability),
                         .factor = static_cast<float>(1.0 / (1.0 - options.probability)),
                         .step = storage(step).value.data(),
                         .values = view(values)};
  if (options.probability > 0) launch_dropout(queue(), task);
}

}  // namespace tern::cuda
