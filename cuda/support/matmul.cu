#include "cuda/support/matmul.hpp"

#include <string>
#include <utility>

#include "tern/error.hpp"

// cuBLASLt sees column-major matrices: a row-major one is its transpose, and out = left · right
// becomes outᵀ = rightᵀ · leftᵀ. So its A is `right`, its B is `left`, and a bias over our columns
// is one over its rows, which its epilogue supports.

namespace tern::cuda {
namespace {

/// The recommendation of cuBLAS for compute capability 9.0, its largest (its documentation).
constexpr std::int64_t kWorkspaceBytes = std::int64_t{32} << 20;

template <typename Handle, typename Attribute, typename T>
void set(cublasStatus_t (*setter)(Handle, Attribute, const void*, std::size_t), Handle handle,
         Attribute attribute, const T& value) {
  check(setter(handle, attribute, &value, sizeof(value)));
}

/// (rows, cols) as stored, row-major.
detail::UniqueMatmul<cublasLtMatrixLayout_t> make_layout(std::int64_t rows, std::int64_t cols,
                                                         const Factor& factor, std::int32_t batch) {
  if (factor.transposed == Transposed::kYes) std::swap(rows, cols);
  cublasLtMatrixLayout_t layout = nullptr;
  check(cublasLtMatrixLayoutCreate(&layout, CUDA_R_32F, static_cast<std::uint64_t>(cols),
                                   static_cast<std::uint64_t>(rows), factor.stride));
  detail::UniqueMatmul<cublasLtMatrixLayout_t> owner(layout);
  if (batch > 1) {
    set(cublasLtMatrixLayoutSetAttribute, layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, batch);
    set(cublasLtMatrixLayoutSetAttribute, layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
        factor.step);
  }
  return owner;
}

std::int32_t operation(const Factor& factor) {
  return factor.transposed == Transposed::kYes ? CUBLAS_OP_T : CUBLAS_OP_N;
}

}  // namespace

Matmul::Matmul(const Memory& memory, const Queue& queue)
    : queue_(queue), workspace_(kWorkspaceBytes, memory) {
  cublasLtHandle_t handle = nullptr;
  check(cublasLtCreate(&handle));
  handle_ = detail::UniqueMatmul<cublasLtHandle_t>(handle);
}

Matmul::Plan Matmul::make_plan(const ProductShape& shape) const {
  Plan plan;
  cublasLtMatmulDesc_t description = nullptr;
  check(cublasLtMatmulDescCreate(&description, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  plan.description.reset(description);
  set(cublasLtMatmulDescSetAttribute, description, CUBLASLT_MATMUL_DESC_TRANSA,
      operation(shape.right));
  set(cublasLtMatmulDescSetAttribute, description, CUBLASLT_MATMUL_DESC_TRANSB,
      operation(shape.left));
  if (shape.with_bias) {
    const std::uint32_t epilogue = CUBLASLT_EPILOGUE_BIAS;
    // The heuristic uses only the alignment of the bias, which is the same for all our arrays.
    const void* bias = workspace_.data();
    set(cublasLtMatmulDescSetAttribute, description, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
    set(cublasLtMatmulDescSetAttribute, description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  }
  plan.left = make_layout(shape.rows, shape.depth, shape.left, shape.batch);
  plan.right = make_layout(shape.depth, shape.cols, shape.right, shape.batch);
  plan.out = make_layout(shape.rows, shape.cols, shape.out, shape.batch);
  choose_algorithm(plan);
  return plan;
}

void Matmul::choose_algorithm(Plan& plan) const {
  cublasLtMatmulPreference_t preference = nullptr;
  check(cublasLtMatmulPreferenceCreate(&preference));
  const detail::UniqueMatmul<cublasLtMatmulPreference_t> owner(preference);
  const auto bytes = static_cast<std::uint64_t>(workspace_.size());
  // If an algorithm splits the depth, it must add the parts up in one order, in f32, in a step of
  // its own.
  const std::uint32_t reductions =
      CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  set(cublasLtMatmulPreferenceSetAttribute, preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
      bytes);
  set(cublasLtMatmulPreferenceSetAttribute, preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      reductions);
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle_.get(), plan.description.get(), plan.right.get(), plan.left.get(), plan.out.get(),
      plan.out.get(), preference, 1, &result, &found);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return;
  check(status);
  plan.served = found > 0 && result.state == CUBLAS_STATUS_SUCCESS;
  plan.algorithm = result.algo;
}

Matmul::Plan& Matmul::plan_of(const ProductShape& shape) {
  const auto known = plans_.find(shape);
  if (known != plans_.end()) return known->second;
  return plans_.emplace(shape, make_plan(shape)).first->second;
}

bool Matmul::serves(const ProductShape& shape) {
  return plan_of(shape).served;
}

void Matmul::run(const ProductShape& shape, const ProductArrays& arrays) {
  Plan& plan = plan_of(shape);
  if (!plan.served) {
    throw DeviceError("cuBLASLt has no algorithm for a product of " + std::to_string(shape.rows) +
                      " × " + std::to_string(shape.depth) + " by " + std::to_string(shape.depth) +
                      " × " + std::to_string(shape.cols) + " in f32");
  }
  if (shape.with_bias) {
    const void* bias = arrays.bias;
    set(cublasLtMatmulDescSetAttribute, plan.description.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER,
        bias);
  }
  const float one = 1.0F;
  const float of_addend = arrays.addend == nullptr ? 0.0F : 1.0F;
  const float* addend = arrays.addend == nullptr ? arrays.out : arrays.addend;
  check_launches(
      queue_,
      cublasLtMatmul(handle_.get(), plan.description.get(), &one, arrays.right, plan.right.get(),
                     arrays.left, plan.left.get(), &of_addend, addend, plan.out.get(), arrays.out,
                     plan.out.get(), &plan.algorithm, workspace_.data(),
                     static_cast<std::size_t>(workspace_.size()), queue_.stream));
}

}  // namespace tern::cuda
