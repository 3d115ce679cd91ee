// perturb: adds noise of length ε to the rows of a matrix (N, D), in place, and the result to a sum.
// Source: Yu et al. 2022 (SimGCL); Yu et al. 2023 (XSimGCL).
//
//   values += ε · sign(values) ⊙ r / ‖r‖;  sum = kept · sum + weight · values
//
// Backend::perturb says which random word belongs to which element. With m = word + 1, r = m / 2³²
// and r / ‖r‖ = m / ‖m‖. A group of lanes handles a row and joins its squares in a fixed order:
// bitwise reproducible.
//
// 8·N·D bytes, 12 or 16 in the rows of the sum, and a hundred integer operations for each Philox
// block of four words, as in dropout.cu. A lane keeps the words of its first vector; in rows of more
// than 128 elements the others are drawn twice, since a table of words would need more bytes than
// the values.

#include "cuda/ops/perturb.hpp"

#include "cuda/backend.hpp"
#include "cuda/ops/word_stream.cuh"
#include "cuda/support/group.cuh"
#include "cuda/support/lanes.hpp"
#include "cuda/support/vector.cuh"
#include "host/backend/checks.hpp"

namespace tern::cuda {
namespace {

constexpr int kPerturbThreads = 256;

/// m of the four elements from column `col` on; 0 in the padding.
__device__ inline float4 perturb_draws(const PerturbTask& task, std::int64_t row,
                                       std::int64_t col) {
  const WordStream stream{Purpose::kPerturb, task.seed, static_cast<std::uint32_t>(*task.step),
                          task.place};
  const Words words = stream.of_elements(static_cast<std::uint64_t>(row * task.values.cols + col));
  const auto draw = [&](int i) {
    if (col + i >= task.values.cols) return 0.0F;
    return static_cast<float>(std::uint64_t{words.word[i]} + 1);  // rounded once
  };
  return make_float4(draw(0), draw(1), draw(2), draw(3));
}

__device__ inline float with_noise(float value, float noise) {
  return value == 0.0F ? value : value + copysignf(noise, value);
}

/// Perturbs the vector at `place` of a row, and adds it to the sum if `adds`.
__device__ inline void perturb_vector(const PerturbTask& task, std::int64_t place, float factor,
                                      float4 draws, int adds) {
  float4 value = as_vectors(task.values.data)[place];
  if (factor > 0.0F) {
    value =
        make_float4(with_noise(value.x, factor * draws.x), with_noise(value.y, factor * draws.y),
                    with_noise(value.z, factor * draws.z), with_noise(value.w, factor * draws.w));
    as_vectors(task.values.data)[place] = value;
  }
  if (adds == 0) return;
  float4* sum = as_vectors(task.sum) + place;
  *sum = task.kept == 0.0F ? scale(task.weight, value) : fma(task.weight, value, *sum);
}

/// One group a row. The padding is zero and stays zero, since its sign is 0.
template <int kLanes>
__global__ void __launch_bounds__(kPerturbThreads)
    perturb_rows_kernel(const __grid_constant__ PerturbTask task) {
  const LaneGroup<kLanes> group;
  const std::int64_t index = task.first_row +
                             static_cast<std::int64_t>(blockIdx.x) * (kPerturbThreads / kLanes) +
                             static_cast<int>(threadIdx.x) / kLanes;
  if (index >= (task.only.rows == nullptr ? task.values.rows : task.only.span->count)) return;
  const std::int64_t row =
      task.only.rows == nullptr ? index : task.only.rows[task.only.span->begin + index];
  const std::int64_t vectors = task.values.stride / kVector;
  const bool draws = task.magnitude > 0.0F;
  float4 first = zero_vector();
  float square = 0.0F;
  for (std::int64_t v = group.lane; draws && v < vectors; v += kLanes) {
    const float4 drawn = perturb_draws(task, row, v * kVector);
    if (v == group.lane) first = drawn;
    square = dot(drawn, drawn, square);
  }
  square = group.sum(square);
  const float factor = draws ? task.magnitude / sqrtf(square) : 0.0F;
  const int adds = task.sum != nullptr && (task.summed == nullptr || task.summed[row] != 0) ? 1 : 0;
  for (std::int64_t v = group.lane; v < vectors; v += kLanes) {
    const bool again = draws && v != group.lane;
    perturb_vector(task, row * vectors + v, factor,
                   again ? perturb_draws(task, row, v * kVector) : first, adds);
  }
}

}  // namespace

void launch_perturb(const Queue& queue, const PerturbTask& task) {
  const std::int64_t rows =
      task.only.every() ? task.values.rows - task.first_row : task.only.capacity;
  const std::int64_t vectors = task.values.stride / kVector;
  if (rows == 0 || vectors == 0) return;
  const Launcher launch(queue);
  with_lanes(vectors, [&](auto width) {
    constexpr int kLanes = decltype(width)::value;
    launch({.blocks = ceil_div(rows, kPerturbThreads / kLanes), .threads = kPerturbThreads},
           perturb_rows_kernel<kLanes>, task);
  });
}

void CudaBackend::perturb(const PerturbOptions& options, const Counter& step, Matrix& values,
                          const RowSet* rows, const RowSum& sum) {
  const Range range("perturb");
  check_perturb(options, step, values, rows, sum);
  expect_all_columns("perturb");
  const DeviceScope scope = use_device();
  PerturbTask task{.magnitude = finite_factor(options.magnitude),
                   .seed = options.seed,
                   .place = options.place,
                   .step = storage(step).value.data(),
                   .values = view(values),
                   .only = row_view(rows)};
  if (sum.sum != nullptr) {
    task.sum = view(*sum.sum).data;
    task.weight = finite_factor(sum.weight);
    task.kept = sum.begin == RowSum::Begin::kAtZero ? 0.0F : 1.0F;
    task.summed = row_view(sum.rows).marks;
  }
  if (!(task.magnitude > 0.0F) && task.sum == nullptr) return;
  launch_perturb(queue(), task);
  refresh_copies({&values, sum.sum});
}

}  // namespace tern::cuda
