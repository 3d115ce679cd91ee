// cuBLASLt over the emulated runtime: cuBLASLt's descriptions, and plain loops.
#include <cstring>
#include <stdexcept>
#include <string>

#include "blas.hpp"
#include "cublasLt.h"
#include "runtime.hpp"

struct cublasLtContext {
  int device = 0;
};
struct cublasLtMatrixLayoutOpaque_t {
  cudaDataType type;
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t ld;
  std::int32_t batches = 1;
  std::int64_t batch_offset = 0;

  bool operator==(const cublasLtMatrixLayoutOpaque_t&) const = default;
};
struct cublasLtMatmulDescOpaque_t {
  cublasComputeType_t compute;
  cudaDataType scale;
  std::int32_t transposes_a = CUBLAS_OP_N;
  std::int32_t transposes_b = CUBLAS_OP_N;
  std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;
};
struct cublasLtMatmulPreferenceOpaque_t {
  std::uint64_t workspace_bytes = 0;
  std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
};

namespace simt::runtime {
namespace {

/// The alignment that cuBLASLt assumes of arrays unless a preference lowers it, and of workspace.
constexpr std::uintptr_t kLtAlignment = 256;
/// The workspace of the one algorithm: not a round number, so that another size is noticed.
constexpr std::size_t kLtWorkspaceBytes = 4100;

/// The documented range of rows and columns is wider than what its algorithms have served.
constexpr std::int64_t kLtMostRows = std::int64_t{65535} * 32;

[[noreturn]] void not_emulated(const std::string& what) {
  throw std::logic_error("tests/simt does not emulate cuBLASLt with " + what);
}

/// Sets an attribute if the size is exactly that of its type.
template <class T>
cublasStatus_t take(T& place, const void* value, std::size_t bytes) {
  if (value == nullptr || bytes != sizeof(T)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&place, value, sizeof(T));
  return CUBLAS_STATUS_SUCCESS;
}

struct LtProblem {
  cublasLtMatmulDescOpaque_t description;
  cublasLtMatrixLayoutOpaque_t a, b, c, d;

  bool with_bias() const { return description.epilogue == CUBLASLT_EPILOGUE_BIAS; }
  std::int64_t depth() const { return description.transposes_a == CUBLAS_OP_N ? a.cols : a.rows; }
};

/// Throws if the problem is not emulated.
void expect_emulated(const LtProblem& problem) {
  if (problem.description.compute != CUBLAS_COMPUTE_32F) not_emulated("this compute type");
  if (problem.description.scale != CUDA_R_32F) not_emulated("this type of alpha and beta");
  if (problem.description.epilogue != CUBLASLT_EPILOGUE_DEFAULT && !problem.with_bias()) {
    not_emulated("epilogue " + std::to_string(problem.description.epilogue));
  }
  for (const auto& layout : {problem.a, problem.b, problem.c, problem.d}) {
    if (layout.type != CUDA_R_32F) not_emulated("this type of matrix");
  }
  if (problem.with_bias() && problem.d.batches != 1) not_emulated("a bias for a batch");
  if (problem.depth() == 0) not_emulated("sums of no terms");
}

bool is_consistent(const LtProblem& problem) {
  const auto& [description, a, b, c, d] = problem;
  for (const auto& layout : {a, b, c, d}) {
    if (layout.rows <= 0 || layout.cols <= 0 || layout.ld < layout.rows) return false;
    if (layout.batches < 1 || layout.batches != d.batches || layout.batch_offset < 0) return false;
    // The documented range of rows and columns is wider than what its algorithms have served.
    if (layout.rows > 65535 * 32 || layout.cols > 65535 * 32 || layout.batches > 65535)
      return false;
  }
  if (d.batches > 1 && d.batch_offset < d.ld * (d.cols - 1) + d.rows) return false;
  const bool plain_a = description.transposes_a == CUBLAS_OP_N;
  const bool plain_b = description.transposes_b == CUBLAS_OP_N;
  return d.rows == (plain_a ? a.rows : a.cols) && d.cols == (plain_b ? b.cols : b.rows) &&
         problem.depth() == (plain_b ? b.rows : b.cols) && c.rows == d.rows && c.cols == d.cols &&
         (!problem.with_bias() || description.bias != nullptr);
}

/// The problem that an algorithm was found for.
cublasLtMatmulAlgo_t fingerprint(const LtProblem& problem) {
  const auto& [description, a, b, c, d] = problem;
  std::uint64_t hash = 0xcbf29ce484222325u;
  const auto mix = [&](std::int64_t value) {
    hash = (hash ^ static_cast<std::uint64_t>(value)) * 0x100000001b3u;
    hash ^= hash >> 29;
  };
  for (const auto& layout : {a, b, c, d}) {
    for (const std::int64_t value :
         {layout.rows, layout.cols, layout.ld, std::int64_t{layout.batches}, layout.batch_offset}) {
      mix(value);
    }
  }
  mix(description.transposes_a);
  mix(description.transposes_b);
  mix(description.epilogue);
  return {{hash, 0x6c74616c676f}};
}

Range lt_span(const void* data, const cublasLtMatrixLayoutOpaque_t& layout) {
  Range one = span_of(static_cast<const float*>(data), layout.rows, layout.cols, layout.ld);
  one.bytes += static_cast<std::size_t>((layout.batches - 1) * layout.batch_offset) * sizeof(float);
  return one;
}

bool is_aligned(const void* data) {
  return reinterpret_cast<std::uintptr_t>(data) % kLtAlignment == 0;
}

/// A product with its arrays, as it is put on the stream.
struct LtCall {
  LtProblem problem;
  float alpha;
  float beta;
  const float* a;
  const float* b;
  const float* c;
  float* d;
  void* workspace;

  bool arrays_are_right() const {
    const Range out = lt_span(d, problem.d);
    const Range added = lt_span(c, problem.c);
    const Range room{workspace, kLtWorkspaceBytes};
    for (const Range& range : {lt_span(a, problem.a), lt_span(b, problem.b), added, out, room}) {
      if (!on_device(range) || !is_aligned(range.begin)) return false;
    }
    if (problem.with_bias()) {
      const Range bias{problem.description.bias,
                       static_cast<std::size_t>(problem.d.rows) * sizeof(float)};
      if (!on_device(bias) || !is_aligned(bias.begin) || overlap(bias, out)) return false;
    }
    for (const Range& range : {lt_span(a, problem.a), lt_span(b, problem.b), out}) {
      if (overlap(range, room)) return false;
    }
    if (overlap(lt_span(a, problem.a), out) || overlap(lt_span(b, problem.b), out)) return false;
    // In place, or apart.
    return c == d ? problem.c == problem.d : !overlap(added, out);
  }

  void run() const {
    std::memset(workspace, 0xa5, kLtWorkspaceBytes);
    const auto& [description, of_a, of_b, of_c, of_d] = problem;
    const auto* bias = static_cast<const float*>(problem.with_bias() ? description.bias : nullptr);
    for (std::int64_t batch = 0; batch < of_d.batches; ++batch) {
      const Operand left =
          operand(description.transposes_a != CUBLAS_OP_N, a + batch * of_a.batch_offset, of_a.ld);
      const Operand right =
          operand(description.transposes_b != CUBLAS_OP_N, b + batch * of_b.batch_offset, of_b.ld);
      for (std::int64_t j = 0; j < of_d.cols; ++j) {
        for (std::int64_t i = 0; i < of_d.rows; ++i) {
          double sum = alpha * dot(left.row(i), left.column_step, right.column(j), right.row_step,
                                   problem.depth());
          if (beta != 0.0f) {
            sum += static_cast<double>(beta) * c[batch * of_c.batch_offset + j * of_c.ld + i];
          }
          if (bias != nullptr) sum += bias[i];
          d[batch * of_d.batch_offset + j * of_d.ld + i] = static_cast<float>(sum);
        }
      }
    }
  }
};

}  // namespace
}  // namespace simt::runtime

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (simt::runtime::device_count() == 0) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = new cublasLtContext{simt::runtime::current_device()};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  if (simt::runtime::destroyable(handle->device) != cudaSuccess) {
    return CUBLAS_STATUS_NOT_INITIALIZED;
  }
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t cols, std::int64_t ld) {
  *layout = new cublasLtMatrixLayoutOpaque_t{type, static_cast<std::int64_t>(rows),
                                             static_cast<std::int64_t>(cols), ld};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void* value, std::size_t bytes) {
  using simt::runtime::take;
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return take(layout->batches, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      return take(layout->batch_offset, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description,
                                        cublasComputeType_t compute, cudaDataType scale) {
  *description = new cublasLtMatmulDescOpaque_t{compute, scale};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  delete description;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
  using simt::runtime::take;
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return take(description->transposes_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return take(description->transposes_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return take(description->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return take(description->bias, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new cublasLtMatmulPreferenceOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, std::size_t bytes) {
  using simt::runtime::take;
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return take(preference->workspace_bytes, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return take(preference->reductions, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle,
                                              cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* returned) {
  using namespace simt::runtime;
  *returned = 0;
  const LtProblem problem{*description, *a, *b, *c, *d};
  expect_emulated(problem);
  if (requested <= 0 || !is_consistent(problem)) return CUBLAS_STATUS_INVALID_VALUE;
  if ((preference->reductions & CUBLASLT_REDUCTION_SCHEME_INPLACE) != 0) {
    not_emulated("reductions in place, whose order is left to chance");
  }
  if (problem.with_bias() && !device_at(handle->device).matmul_epilogues) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (preference->workspace_bytes < kLtWorkspaceBytes) return CUBLAS_STATUS_NOT_SUPPORTED;
  results[0] = {};
  results[0].algo = fingerprint(problem);
  results[0].workspaceSize = kLtWorkspaceBytes;
  results[0].state = CUBLAS_STATUS_SUCCESS;
  *returned = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t description,
                              const void* alpha, const void* a, cublasLtMatrixLayout_t a_layout,
                              const void* b, cublasLtMatrixLayout_t b_layout, const void* beta,
                              const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              std::size_t workspace_bytes, cudaStream_t stream) {
  using namespace simt::runtime;
  const LtCall call{.problem = {*description, *a_layout, *b_layout, *c_layout, *d_layout},
                    .alpha = *static_cast<const float*>(alpha),
                    .beta = *static_cast<const float*>(beta),
                    .a = static_cast<const float*>(a),
                    .b = static_cast<const float*>(b),
                    .c = static_cast<const float*>(c),
                    .d = static_cast<float*>(d),
                    .workspace = workspace};
  expect_emulated(call.problem);
  if (algorithm == nullptr) not_emulated("an algorithm of its own choice");
  const cublasLtMatmulAlgo_t right = fingerprint(call.problem);
  if (!is_consistent(call.problem) || workspace_bytes < kLtWorkspaceBytes ||
      std::memcmp(algorithm, &right, sizeof(right)) != 0) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (!is_stream(stream) || stream->device != handle->device || !call.arrays_are_right()) {
    return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  const cudaError_t status = submit_kernels(stream, [call] { call.run(); });
  return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
