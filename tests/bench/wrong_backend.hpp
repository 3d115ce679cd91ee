#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tern/backend.hpp"
#include "tern/device.hpp"

namespace tern::test {

/// The CPU backend, but one op writes one wrong element.
class WrongBackend final : public Backend {
 public:
  /// op: the name of the method that is wrong; "" for none.
  explicit WrongBackend(std::string op) : op_(std::move(op)), right_(make_cpu_backend(1)) {}

  std::string name() const override { return "cpu"; }
  DeviceDescription describe() const override { return right_->describe(); }
  MemoryInfo memory() const override { return right_->memory(); }
  Matrix allocate(std::int64_t rows, std::int64_t cols, const MatrixOptions& options) override {
    return right_->allocate(rows, cols, options);
  }
  void upload(std::span<const float> values, Matrix& to) override { right_->upload(values, to); }
  void upload(std::span<const double> values, Matrix& to) override { right_->upload(values, to); }
  void download(const Matrix& from, std::span<float> values) override {
    right_->download(from, values);
  }
  void download(const Matrix& from, std::span<double> values) override {
    right_->download(from, values);
  }
  void copy(const Matrix& from, Matrix& to) override { right_->copy(from, to); }
  void fill(Matrix& matrix, double value) override { right_->fill(matrix, value); }
  Graph make_graph(const Interactions& interactions) override {
    return right_->make_graph(interactions);
  }
  RowSet make_row_set(NodeId num_nodes, std::span<const NodeId> rows) override {
    return right_->make_row_set(num_nodes, rows);
  }
  std::vector<NodeId> get_rows(const RowSet& rows) override { return right_->get_rows(rows); }
  Counter make_counter(std::int64_t value) override { return right_->make_counter(value); }
  void set(Counter& counter, std::int64_t value) override { right_->set(counter, value); }
  std::int64_t get(const Counter& counter) override { return right_->get(counter); }
  void increment(Counter& counter) override { right_->increment(counter); }
  RowSteps make_row_steps(std::int64_t rows) override { return right_->make_row_steps(rows); }
  void set(RowSteps& steps, std::int64_t step) override { right_->set(steps, step); }
  void synchronize() override { right_->synchronize(); }
  double seconds(const std::function<void()>& work) override { return right_->seconds(work); }
  std::unique_ptr<Recording> record(std::function<void()> step) override {
    return right_->record(std::move(step));
  }
  Triplets make_triplets(const Graph& graph, const SamplingOptions& options,
                         std::int64_t batch_size) override {
    return right_->make_triplets(graph, options, batch_size);
  }
  SamplingCounts sampling_counts(const Triplets& triplets) const override {
    return right_->sampling_counts(triplets);
  }
  void sample(Triplets& triplets, std::uint32_t epoch) override { right_->sample(triplets, epoch); }
  void set_triplets(Triplets& triplets, std::span<const Triplet> values) override {
    right_->set_triplets(triplets, values);
  }
  std::vector<Triplet> get_triplets(const Triplets& triplets) override {
    std::vector<Triplet> values = right_->get_triplets(triplets);
    if (op_ == "sample") ++values[values.size() / 2].negative;
    return values;
  }
  std::int64_t batch_number(const Triplets& triplets) const override {
    return right_->batch_number(triplets);
  }
  std::vector<Triplet> get_batch(const Triplets& triplets) override {
    return right_->get_batch(triplets);
  }
  void next_batch(Triplets& triplets) override { right_->next_batch(triplets); }

  void propagate(const Graph& graph, Side to, const Matrix& x, Matrix& y,
                 const PropagateOptions& options) override {
    right_->propagate(graph, to, x, y, options);
    spoil("propagate", y);
  }
  DenseState make_dense_state(std::int64_t rows, std::int64_t cols) override {
    return right_->make_dense_state(rows, cols);
  }
  void linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode, DenseState& state,
                             Matrix& z) override {
    right_->linear_relu_batchnorm(layer, mode, state, z);
    spoil("linear_relu_batchnorm", z);
  }
  void linear_relu_batchnorm_backward(const DenseLayer& layer, DenseState& state,
                                      const Matrix& grad_z,
                                      const DenseGradients& gradients) override {
    right_->linear_relu_batchnorm_backward(layer, state, grad_z, gradients);
    spoil("linear_relu_batchnorm", *gradients.outer.terms.at(0).weight);
  }
  void dropout(const DropoutOptions& options, const Counter& step, Matrix& values) override {
    right_->dropout(options, step, values);
    spoil("dropout", values);
  }
  void bpr(Triplets& triplets, const Matrix& users, const Matrix& items, Matrix& grad_users,
           Matrix& grad_items, Matrix& losses) override {
    right_->bpr(triplets, users, items, grad_users, grad_items, losses);
    spoil("bpr", grad_items);
  }
  void in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                        const Matrix& users, const Matrix& items, Matrix& grad_users,
                        Matrix& grad_items, Matrix& losses) override {
    right_->in_batch_softmax(triplets, options, users, items, grad_users, grad_items, losses);
    spoil("in_batch_softmax", grad_items);
  }
  void alignment_uniformity(Triplets& triplets, const AlignmentUniformityOptions& options,
                            const Matrix& users, const Matrix& items, Matrix& grad_users,
                            Matrix& grad_items, Matrix& losses) override {
    right_->alignment_uniformity(triplets, options, users, items, grad_users, grad_items, losses);
    spoil("alignment_uniformity", grad_items);
  }
  void sampled_contrast(Triplets& triplets, const SampledContrastOptions& options,
                        const Matrix& users, const Matrix& items, Matrix& grad_users,
                        Matrix& grad_items, Matrix& losses) override {
    right_->sampled_contrast(triplets, options, users, items, grad_users, grad_items, losses);
    spoil("sampled_contrast", grad_items);
  }
  void info_nce(Triplets& triplets, const InfoNceOptions& options, Side side, const Matrix& views,
                const Matrix& others, Matrix& grad_views, Matrix& grad_others,
                Matrix& losses) override {
    right_->info_nce(triplets, options, side, views, others, grad_views, grad_others, losses);
    spoil("info_nce", grad_others);
  }
  void perturb(const PerturbOptions& options, const Counter& step, Matrix& values,
               const RowSet* rows, const RowSum& sum) override {
    right_->perturb(options, step, values, rows, sum);
    spoil("perturb", values);
  }
  void normalize_rows(const Matrix& x, Matrix& y, const RowSum& sum) override {
    right_->normalize_rows(x, y, sum);
    spoil("normalize_rows", y);
  }
  void normalize_rows_backward(const Matrix& x, const Matrix& grad_y, Matrix& grad_x,
                               const RowAddend& addend) override {
    right_->normalize_rows_backward(x, grad_y, grad_x, addend);
    spoil("normalize_rows", grad_x);
  }
  void l2_penalty(Triplets& triplets, double lambda, const Matrix& users, const Matrix& items,
                  Matrix& grad_users, Matrix& grad_items, Matrix& losses) override {
    right_->l2_penalty(triplets, lambda, users, items, grad_users, grad_items, losses);
    spoil("l2_penalty", losses);
  }
  void adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
            Matrix& parameter, AdamState& state, const RowSet* rows, Counter* fault) override {
    right_->adam(options, step, gradient, parameter, state, rows, fault);
    spoil("adam", state.second_moment);
  }
  void adam_catch_up(const AdamOptions& options, const Counter& step, Matrix& parameter,
                     AdamState& state, const RowSet* rows, Counter* fault) override {
    right_->adam_catch_up(options, step, parameter, state, rows, fault);
    spoil("adam", parameter);
  }
  void sgd(const SgdOptions& options, const Counter& step, const Matrix& gradient,
           Matrix& parameter, SgdState& state, const RowSet* rows, Counter* fault) override {
    right_->sgd(options, step, gradient, parameter, state, rows, fault);
    spoil("sgd", parameter);
  }
  void score_topk(const Matrix& users, const Matrix& items, std::span<const NodeId> queries,
                  std::span<const Graph* const> observed, std::int64_t k, TopItems& top) override {
    right_->score_topk(users, items, queries, observed, k, top);
    if (op_ == "score_topk")
      std::swap(top.items.front(), top.items[static_cast<std::size_t>(k - 1)]);
  }
  EmbeddingStatistics embedding_statistics(const Matrix& embeddings,
                                           StatisticsFigures figures) override {
    EmbeddingStatistics found = right_->embedding_statistics(embeddings, figures);
    if (op_ == "embedding_statistics") found.gram.back() *= 1.1;
    return found;
  }

 private:
  /// Adds 1 to one finite element: the middle one, counted over the finite elements alone.
  void spoil(const char* op, Matrix& matrix) {
    if (op_ != op) return;
    std::vector<float> values(static_cast<std::size_t>(matrix.size()));
    right_->download(matrix, values);
    std::vector<std::size_t> finite;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isfinite(values[i])) finite.push_back(i);
    }
    values.at(finite.at(finite.size() / 2)) += 1.0F;
    right_->upload(values, matrix);
  }

  std::string op_;
  std::unique_ptr<Backend> right_;
};

}  // namespace tern::test
