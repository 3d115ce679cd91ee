// cuBLAS over the emulated runtime: plain loops.
#include "cublas_v2.h"

#include "runtime.hpp"

struct cublasContext {
  cudaStream_t stream = nullptr;
  int device = 0;
};

namespace simt::runtime {
namespace {

/// A column-major matrix, or its transpose.
struct Operand {
  const float* data = nullptr;
  std::int64_t row_step = 0;
  std::int64_t column_step = 0;
};

Operand operand(cublasOperation_t op, const float* data, std::int64_t leading) {
  return op == CUBLAS_OP_N ? Operand{data, 1, leading} : Operand{data, leading, 1};
}

/// Σ_l a(i, l) b(l, j) in f64, in four parts that the processor can add side by side.
double dot(const float* a, std::int64_t a_step, const float* b, std::int64_t b_step,
           std::int64_t count) {
  double part[4] = {};
  std::int64_t l = 0;
  for (; l + 4 <= count; l += 4) {
    for (int u = 0; u < 4; ++u) {
      part[u] += static_cast<double>(a[(l + u) * a_step]) * b[(l + u) * b_step];
    }
  }
  for (; l < count; ++l) part[0] += static_cast<double>(a[l * a_step]) * b[l * b_step];
  return (part[0] + part[1]) + (part[2] + part[3]);
}

/// What a column-major matrix with a leading dimension spans.
Range span_of(const float* data, std::int64_t rows, std::int64_t columns, std::int64_t leading) {
  if (rows == 0 || columns == 0) return {data, 0};
  return {data, static_cast<std::size_t>((columns - 1) * leading + rows) * sizeof(float)};
}

}  // namespace
}  // namespace simt::runtime

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
  const Operand left = operand(op_a, a, lda);
  const Operand right = operand(op_b, b, ldb);
  const cudaError_t status = submit_kernels(handle->stream, [=, alpha = *alpha, beta = *beta] {
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t i = 0; i < m; ++i) {
        const double sum = alpha * dot(left.data + i * left.row_step, left.column_step,
                                       right.data + j * right.column_step, right.row_step, k);
        float& out = c[j * ldc + i];
        out = static_cast<float>(beta == 0.0f ? sum : sum + static_cast<double>(beta) * out);
      }
    }
  });
  return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
