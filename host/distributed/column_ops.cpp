// The ops of a step on a rank's own columns, and what has no columns at all.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "host/backend/checks.hpp"
#include "host/distributed/column_backend.hpp"
#include "host/distributed/column_storage.hpp"
#include "tern/error.hpp"

namespace tern::distributed {
namespace {

/// The state of adam with this rank's part of the moments, lent for the time of a call.
class AdamPart {
 public:
  AdamPart(AdamState& state, Matrix& first_moment, Matrix& second_moment)
      : lent{std::move(first_moment), std::move(second_moment), std::move(state.row_steps)},
        state_(state),
        first_moment_(first_moment),
        second_moment_(second_moment) {}
  AdamPart(const AdamPart&) = delete;
  AdamPart& operator=(const AdamPart&) = delete;
  ~AdamPart() {
    first_moment_ = std::move(lent.first_moment);
    second_moment_ = std::move(lent.second_moment);
    state_.row_steps = std::move(lent.row_steps);
  }

  AdamState lent;

 private:
  AdamState& state_;
  Matrix& first_moment_;
  Matrix& second_moment_;
};

/// The same for sgd; without momentum there is nothing to lend.
class SgdPart {
 public:
  explicit SgdPart(Matrix* velocity) : velocity_(velocity) {
    if (velocity != nullptr) lent.velocity = std::move(*velocity);
  }
  SgdPart(const SgdPart&) = delete;
  SgdPart& operator=(const SgdPart&) = delete;
  ~SgdPart() {
    if (velocity_ != nullptr) *velocity_ = std::move(lent.velocity);
  }

  SgdState lent;

 private:
  Matrix* velocity_;
};

}  // namespace

Graph ColumnBackend::make_graph(const Interactions& interactions) {
  return inner_->make_graph(interactions);
}
RowSet ColumnBackend::make_row_set(NodeId num_nodes, std::span<const NodeId> rows) {
  return inner_->make_row_set(num_nodes, rows);
}
std::vector<NodeId> ColumnBackend::get_rows(const RowSet& rows) {
  return inner_->get_rows(rows);
}
RowSteps ColumnBackend::make_row_steps(std::int64_t rows) {
  return inner_->make_row_steps(rows);
}
void ColumnBackend::set(RowSteps& steps, std::int64_t step) {
  inner_->set(steps, step);
}
std::unique_ptr<Recording> ColumnBackend::record(std::function<void()> step) {
  return inner_->record(std::move(step));
}

Triplets ColumnBackend::make_triplets(const Graph& graph, const SamplingOptions& options,
                                      std::int64_t batch_size) {
  return inner_->make_triplets(graph, options, batch_size);
}
SamplingCounts ColumnBackend::sampling_counts(const Triplets& triplets) const {
  return inner_->sampling_counts(triplets);
}
void ColumnBackend::sample(Triplets& triplets, std::uint32_t epoch) {
  gathered_.clear();
  inner_->sample(triplets, epoch);
}
void ColumnBackend::set_triplets(Triplets& triplets, std::span<const Triplet> values) {
  inner_->set_triplets(triplets, values);
}
std::vector<Triplet> ColumnBackend::get_triplets(const Triplets& triplets) {
  return inner_->get_triplets(triplets);
}
std::int64_t ColumnBackend::batch_number(const Triplets& triplets) const {
  return inner_->batch_number(triplets);
}
std::vector<Triplet> ColumnBackend::get_batch(const Triplets& triplets) {
  return inner_->get_batch(triplets);
}
void ColumnBackend::next_batch(Triplets& triplets) {
  inner_->next_batch(triplets);
}

void ColumnBackend::propagate(const Graph& graph, Side to, const Matrix& x, Matrix& y,
                              const PropagateOptions& options) {
  PropagateOptions own = options;
  if (options.to_scales != nullptr) own.to_scales = &part(*options.to_scales);
  if (options.from_scales != nullptr) own.from_scales = &part(*options.from_scales);
  if (options.addend != nullptr) own.addend = &part(*options.addend);
  inner_->propagate(graph, to, part(x), part(y), own);
}

void ColumnBackend::bpr(Triplets& triplets, const Matrix& users, const Matrix& items,
                        Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
  gathered_.clear();
  inner_->bpr(triplets, part(users), part(items), part(grad_users), part(grad_items), part(losses));
}

void ColumnBackend::l2_penalty(Triplets& triplets, double lambda, const Matrix& users,
                               const Matrix& items, Matrix& grad_users, Matrix& grad_items,
                               Matrix& losses) {
  inner_->l2_penalty(triplets, lambda, part(users), part(items), part(grad_users), part(grad_items),
                     part(losses));
}

void ColumnBackend::adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
                         Matrix& parameter, AdamState& state, const RowSet* rows, Counter* fault) {
  AdamPart own(state, part(state.first_moment), part(state.second_moment));
  inner_->adam(options, own_counter(step), part(gradient), part(parameter), own.lent, rows,
               part(fault));
}

void ColumnBackend::adam_catch_up(const AdamOptions& options, const Counter& step,
                                  Matrix& parameter, AdamState& state, const RowSet* rows,
                                  Counter* fault) {
  AdamPart own(state, part(state.first_moment), part(state.second_moment));
  inner_->adam_catch_up(options, own_counter(step), part(parameter), own.lent, rows, part(fault));
}

void ColumnBackend::sgd(const SgdOptions& options, const Counter& step, const Matrix& gradient,
                        Matrix& parameter, SgdState& state, const RowSet* rows, Counter* fault) {
  SgdPart own(state.velocity.empty() ? nullptr : &part(state.velocity));
  inner_->sgd(options, own_counter(step), part(gradient), part(parameter), own.lent, rows,
              part(fault));
}

}  // namespace tern::distributed
