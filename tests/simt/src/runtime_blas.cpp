// cuBLAS over the emulated runtime: plain loops.
#include "cublas_v2.h"

#include <algorithm>

#include "blas.hpp"
#include "runtime.hpp"

struct cublasContext {
  cudaStream_t stream = nullptr;
  int device = 0;
};

const char* cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "unknown";
}
const char* cublasGetStatusString(cublasStatus_t) {
  return "as the emulated runtime sees it";
}

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  if (simt::runtime::device_count() == 0) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = new cublasContext{nullptr, simt::runtime::current_device()};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  if (simt::runtime::destroyable(handle->device) != cudaSuccess) {
    return CUBLAS_STATUS_NOT_INITIALIZED;
  }
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  if (!simt::runtime::is_stream(stream) || stream->device != handle->device) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) {
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetAtomicsMode(cublasHandle_t, cublasAtomicsMode_t) {
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace(cublasHandle_t, void* workspace, std::size_t bytes) {
  return simt::runtime::on_device({workspace, bytes}) ? CUBLAS_STATUS_SUCCESS
                                                      : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasSgemm_64(cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b,
                              std::int64_t m, std::int64_t n, std::int64_t k, const float* alpha,
                              const float* a, std::int64_t lda, const float* b, std::int64_t ldb,
                              const float* beta, float* c, std::int64_t ldc) {
  using namespace simt::runtime;
  const bool plain_a = op_a == CUBLAS_OP_N;
  const bool plain_b = op_b == CUBLAS_OP_N;
  if (m < 0 || n < 0 || k < 0 || lda < (plain_a ? m : k) || ldb < (plain_b ? k : n) || ldc < m) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
  for (const Range& range :
       {span_of(a, plain_a ? m : k, plain_a ? k : m, lda),
        span_of(b, plain_b ? k : n, plain_b ? n : k, ldb), span_of(c, m, n, ldc)}) {
    if (range.bytes > 0 && !on_device(range)) return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  const Operand left = operand(!plain_a, a, lda);
  const Operand right = operand(!plain_b, b, ldb);
  // As the library's: the number of parts that a sum is rounded in depends on the shape.
  const std::int64_t part = std::max<std::int64_t>(1, k / (1 + n % 4));
  const cudaError_t status = submit_kernels(handle->stream, [=, alpha = *alpha, beta = *beta] {
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t i = 0; i < m; ++i) {
        float parts = 0.0f;
        for (std::int64_t at = 0; at < k; at += part) {
          parts += static_cast<float>(dot(left.row(i) + at * left.column_step, left.column_step,
                                          right.column(j) + at * right.row_step, right.row_step,
                                          std::min(part, k - at)));
        }
        const double sum = static_cast<double>(alpha) * parts;
        float& out = c[j * ldc + i];
        out = static_cast<float>(beta == 0.0f ? sum : sum + static_cast<double>(beta) * out);
      }
    }
  });
  return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
