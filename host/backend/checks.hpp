#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <type_traits>
#include <typeinfo>

#include "tern/backend.hpp"

namespace tern {

// The checks that every backend makes first, so that all backends throw the same errors with the
// same messages. `op` is the method's name and begins each message.

/// The storage behind an owner as the backend's own type. Throws ShapeError if the handle is empty
/// or was made by another backend.
template <typename BackendStorage>
BackendStorage& storage_of(const Owner& owner, std::string_view op, std::string_view what);

/// rows · cols. Throws ShapeError on a negative size, DeviceError if a matrix with elements of this
/// size exceeds the address space.
std::int64_t check_allocate(std::int64_t rows, std::int64_t cols, std::int64_t element_bytes);
/// Runs make(), and turns the standard library's errors about memory into a MemoryError with the
/// needed bytes.
void reserve_memory(std::string_view op, double bytes, const std::function<void()>& make);

/// Upload and download: as many values as the matrix has elements.
void check_transfer(std::string_view op, const Matrix& matrix, std::size_t num_values);
void check_copy(const Matrix& from, const Matrix& to);
void check_make_row_set(NodeId num_nodes, std::span<const NodeId> rows);

/// Throws Error if there is no step to record.
void check_record(const std::function<void()>& step);
/// Throws ShapeError: the method is called in a recorded step.
[[noreturn]] void throw_in_recorded_step(std::string_view op);

/// Checks the options, and counts the users that take part in sampling. offsets: (num_users + 1),
/// of R.
SamplingCounts check_make_triplets(const SamplingOptions& options, std::int64_t batch_size,
                                   std::span<const EdgeOffset> offsets, NodeId num_items);
void check_set_triplets(const Triplets& triplets, std::span<const Triplet> values);
/// Step ops need a current batch: sample() or set_triplets() comes first.
void check_sampled(std::string_view op, bool sampled);

void check_propagate(const Graph& graph, Side to, const Matrix& x, const Matrix& y,
                     const PropagateOptions& options);
void check_make_dense_state(std::int64_t rows, std::int64_t cols);
void check_linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode, const DenseState& state,
                                 const Matrix& z);
void check_linear_relu_batchnorm_backward(const DenseLayer& layer, const DenseState& state,
                                          const Matrix& grad_z, const DenseGradients& gradients);
void check_dropout(const DropoutOptions& options, const Counter& step, const Matrix& values);
/// The smallest word for which dropout keeps an element: round(probability · 2³²), at most 2³² - 1.
std::uint32_t dropout_threshold(double probability);
void check_bpr(const Triplets& triplets, const Matrix& users, const Matrix& items,
               const Matrix& grad_users, const Matrix& grad_items, const Matrix& losses);
void check_in_batch_softmax(const Triplets& triplets, const InBatchSoftmaxOptions& options,
                            const Matrix& users, const Matrix& items, const Matrix& grad_users,
                            const Matrix& grad_items, const Matrix& losses);
void check_alignment_uniformity(const Triplets& triplets, const AlignmentUniformityOptions& options,
                                const Matrix& users, const Matrix& items, const Matrix& grad_users,
                                const Matrix& grad_items, const Matrix& losses);
void check_sampled_contrast(const Triplets& triplets, const SampledContrastOptions& options,
                            const Matrix& users, const Matrix& items, const Matrix& grad_users,
                            const Matrix& grad_items, const Matrix& losses);
void check_info_nce(const Triplets& triplets, const InfoNceOptions& options, Side side,
                    const Matrix& views, const Matrix& others, const Matrix& grad_views,
                    const Matrix& grad_others, const Matrix& losses);
void check_perturb(const PerturbOptions& options, const Counter& step, const Matrix& values,
                   const RowSet* rows, const RowSum& sum);
void check_normalize_rows(const Matrix& x, const Matrix& y, const RowSum& sum);
void check_normalize_rows_backward(const Matrix& x, const Matrix& grad_y, const Matrix& grad_x,
                                   const RowAddend& addend);
void check_l2_penalty(const Triplets& triplets, double lambda, const Matrix& users,
                      const Matrix& items, const Matrix& grad_users, const Matrix& grad_items,
                      const Matrix& losses);
/// The factor in f32, clamped to finite numbers: backends pad rows with zeros, and 0 · ∞ would turn
/// these into NaN.
float finite_factor(double value);
void check_adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
                const Matrix& parameter, const AdamState& state, const RowSet* rows,
                const Counter* fault);
void check_make_row_steps(std::int64_t rows);
void check_adam_catch_up(const AdamOptions& options, const Counter& step, const Matrix& parameter,
                         const AdamState& state, const RowSet* rows, const Counter* fault);
/// Steps of adam and sgd count from 1. The CUDA backend, which would have to wait for the value,
/// skips this check.
void check_step_count(std::string_view op, std::int64_t step);
void check_sgd(const SgdOptions& options, const Counter& step, const Matrix& gradient,
               const Matrix& parameter, const SgdState& state, const RowSet* rows,
               const Counter* fault);
void check_score_topk(const Matrix& users, const Matrix& items, std::span<const NodeId> queries,
                      std::span<const Graph* const> observed, std::int64_t k);
/// Makes (queries, k) empty lists: item -1, score -inf. Throws DeviceError if memory is short.
void resize_top_items(std::size_t num_queries, std::int64_t k, TopItems& top);
void check_embedding_statistics(const Matrix& embeddings);

/// Throws the errors of storage_of().
[[noreturn]] void throw_empty(std::string_view op, std::string_view what);
[[noreturn]] void throw_foreign(std::string_view op, std::string_view what);

template <typename BackendStorage>
BackendStorage& storage_of(const Owner& owner, std::string_view op, std::string_view what) {
  if (owner.empty()) throw_empty(op, what);
  // Every op asks for each of its matrices: nothing derives from a storage, so that this comparison
  // does for a dynamic_cast, which took a quarter of `tern gradcheck`.
  static_assert(std::is_final_v<BackendStorage>);
  Storage& storage = *owner.storage();
  if (typeid(storage) != typeid(BackendStorage)) throw_foreign(op, what);
  return static_cast<BackendStorage&>(storage);
}

}  // namespace tern
