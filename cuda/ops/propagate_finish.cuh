#pragma once

// The epilogue of propagate: a row of y from its sum and, if y is the gradient of a table, the penalty and
// Adam's step of that row of the table. The gradient is stored all the same, past the cache: whoever wants
// its norm finds it.

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/ops/adam_step.cuh"
#include "cuda/ops/propagate.hpp"
#include "cuda/support/bf16.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/vector.cuh"

namespace tern::cuda {
namespace {

/// A node's scale; 1 if the product is not normalised.
__device__ inline float scale_of(const float* scales, std::int64_t node) {
  return scales == nullptr ? 1.0F : __ldg(scales + node);
}

/// Finishes one row, vector by vector. The lanes of a group have the same row.
template <int kLanes>
class FinishedRow {
 public:
  __device__ FinishedRow(const PropagateTask& task, const RowUpdate& update,
                         const AdamCoefficients& coefficients, std::int64_t row)
      : task_(task), update_(update), coefficients_(coefficients), row_(row) {
    if (update.lambda == 0.0 || update.places.marks[row] == 0) return;
    place_ = update.places.places[row];
    const std::int32_t* starts = update.starts + update.span->begin + place_;
    times_ = starts[1] - starts[0];
    weight_ = static_cast<float>(update.lambda * times_ / static_cast<double>(update.batch->count));
  }

  __device__ void vector(int place, float4 sum) {
    const std::int64_t at = row_ * (task_.y.stride / kVector) + place;
    float4 value = scale(scale_of(task_.to_scale, row_), sum);
    if (task_.addend != nullptr &&
        (task_.addend_marks == nullptr || task_.addend_marks[row_] != 0)) {
      value = add(value, __ldg(as_vectors(task_.addend) + at));
    }
    value = scale(task_.scale, value);
    if (update_.adam.parameter == nullptr) {
      as_vectors(task_.y.data)[at] = value;
      store_copy(task_.y_copy, row_, place, value);
      return;
    }
    const float4 parameter = as_vectors(update_.adam.parameter)[at];
    if (times_ > 0) {
      value = fma(weight_, parameter, value);
      square_ = dot(parameter, parameter, square_);
    }
    __stcs(as_vectors(task_.y.data) + at, value);
    store_copy(task_.y_copy, row_, place, value);
    adam_vector(update_.adam, coefficients_, at, place, value, parameter);
  }

  /// After all vectors: the row's term of the penalty.
  __device__ void end(const LaneGroup<kLanes>& group) {
    if (times_ == 0) return;
    const float square = group.sum(square_);
    if (group.lane == 0) update_.terms[place_] = static_cast<double>(times_) * square;
  }

 private:
  const PropagateTask& task_;
  const RowUpdate& update_;
  const AdamCoefficients& coefficients_;
  std::int64_t row_;
  std::int32_t times_ = 0;  // occurrences in the batch
  std::int32_t place_ = 0;
  float weight_ = 0.0F;
  float square_ = 0.0F;
};

}  // namespace
}  // namespace tern::cuda
