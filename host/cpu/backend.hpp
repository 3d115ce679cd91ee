#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/backend/host_backend.hpp"
#include "host/backend/partial_sums.hpp"
#include "host/cpu/dense_state.hpp"
#include "host/cpu/storage.hpp"
#include "host/support/parallel.hpp"
#include "tern/backend.hpp"

namespace tern::cpu {

/// The f32 backend for the CPU. threads: the number of threads of an op, at least 1. sums: null if it has
/// all columns of its tables.
class CpuBackend final : public HostBackend {
 public:
  explicit CpuBackend(int threads, PartialSums* sums = nullptr);

  std::string name() const override { return "cpu"; }
  DeviceDescription describe() const override;

  Matrix allocate(std::int64_t rows, std::int64_t cols, const MatrixOptions& options) override;
  void upload(std::span<const float> values, Matrix& to) override;
  void upload(std::span<const double> values, Matrix& to) override;
  void download(const Matrix& from, std::span<float> values) override;
  void download(const Matrix& from, std::span<double> values) override;
  void copy(const Matrix& from, Matrix& to) override;
  void fill(Matrix& matrix, double value) override;

  Graph make_graph(const Interactions& interactions) override;
  RowSet make_row_set(NodeId num_nodes, std::span<const NodeId> rows) override;
  std::vector<NodeId> get_rows(const RowSet& rows) override;

  Counter make_counter(std::int64_t value) override;
  void set(Counter& counter, std::int64_t value) override;
  std::int64_t get(const Counter& counter) override;
  void increment(Counter& counter) override;
  RowSteps make_row_steps(std::int64_t rows) override;
  void set(RowSteps& steps, std::int64_t step) override;

  Triplets make_triplets(const Graph& graph, const SamplingOptions& options,
                         std::int64_t batch_size) override;
  SamplingCounts sampling_counts(const Triplets& triplets) const override;
  void sample(Triplets& triplets, std::uint32_t epoch) override;
  void set_triplets(Triplets& triplets, std::span<const Triplet> values) override;
  std::vector<Triplet> get_triplets(const Triplets& triplets) override;
  std::int64_t batch_number(const Triplets& triplets) const override;
  std::vector<Triplet> get_batch(const Triplets& triplets) override;
  void next_batch(Triplets& triplets) override;

  void propagate(const Graph& graph, Side to, const Matrix& x, Matrix& y,
                 const PropagateOptions& options) override;
  DenseState make_dense_state(std::int64_t rows, std::int64_t cols) override;
  void linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode, DenseState& state,
                             Matrix& z) override;
  void linear_relu_batchnorm_backward(const DenseLayer& layer, DenseState& state,
                                      const Matrix& grad_z,
                                      const DenseGradients& gradients) override;
  void dropout(const DropoutOptions& options, const Counter& step, Matrix& values) override;
  void bpr(Triplets& triplets, const Matrix& users, const Matrix& items, Matrix& grad_users,
           Matrix& grad_items, Matrix& losses) override;
  void in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                        const Matrix& users, const Matrix& items, Matrix& grad_users,
                        Matrix& grad_items, Matrix& losses) override;
  void alignment_uniformity(Triplets& triplets, const AlignmentUniformityOptions& options,
                            const Matrix& users, const Matrix& items, Matrix& grad_users,
                            Matrix& grad_items, Matrix& losses) override;
  void sampled_contrast(Triplets& triplets, const SampledContrastOptions& options,
                        const Matrix& users, const Matrix& items, Matrix& grad_users,
                        Matrix& grad_items, Matrix& losses) override;
  void info_nce(Triplets& triplets, const InfoNceOptions& options, Side side, const Matrix& views,
                const Matrix& others, Matrix& grad_views, Matrix& grad_others,
                Matrix& losses) override;
  void perturb(const PerturbOptions& options, const Counter& step, Matrix& values,
               const RowSet* rows, const RowSum& sum) override;
  void normalize_rows(const Matrix& x, Matrix& y, const RowSum& sum) override;
  void normalize_rows_backward(const Matrix& x, const Matrix& grad_y, Matrix& grad_x,
                               const RowAddend& addend) override;
  void l2_penalty(Triplets& triplets, double lambda, const Matrix& users, const Matrix& items,
                  Matrix& grad_users, Matrix& grad_items, Matrix& losses) override;
  void adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
            Matrix& parameter, AdamState& state, const RowSet* rows, Counter* fault) override;
  void adam_catch_up(const AdamOptions& options, const Counter& step, Matrix& parameter,
                     AdamState& state, const RowSet* rows, Counter* fault) override;
  void sgd(const SgdOptions& options, const Counter& step, const Matrix& gradient,
           Matrix& parameter, SgdState& state, const RowSet* rows, Counter* fault) override;
  void score_topk(const Matrix& users, const Matrix& items, std::span<const NodeId> queries,
                  std::span<const Graph* const> observed, std::int64_t k, TopItems& top) override;
  EmbeddingStatistics embedding_statistics(const Matrix& embeddings,
                                           StatisticsFigures figures) override;

 private:
  ThreadPool pool_;
  PartialSums* sums_;             // null: tables are whole
  std::vector<double> row_sums_;  // workspace of normalize_rows with PartialSums: sums over rows
};

/// Rows that a thread takes at a time, where a row is the work of one vector operation.
inline constexpr std::int64_t kRowBlock = 64;

/// The backend's view of a handle that it made. Throws ShapeError on an empty or a foreign one. An op
/// writes a matrix through its view of a Matrix&, which makes the matrix's copy for gathers stale.
MatrixView<float> view(const Matrix& matrix);
MatrixView<float> view(Matrix& matrix);
const GraphStorage& storage(const Graph& graph);
const RowSetStorage& storage(const RowSet& rows);
TripletsStorage& storage(const Triplets& triplets);
CounterStorage& storage(const Counter& counter);
RowStepsStorage& storage(const RowSteps& steps);
DenseStateStorage& storage(const DenseState& state);

/// The counter in which adam and sgd record the first faulty step; null if there is none. Throws
/// ShapeError on a foreign counter.
CounterStorage* fault_storage(Counter* fault);
/// Records the step in the counter, if there is one and it does not hold an earlier step.
void note_fault(CounterStorage* fault, std::int64_t step);
/// The same for a step that may be earlier than the one that it holds; 0: none.
void note_earlier_fault(CounterStorage* fault, std::int64_t step);

}  // namespace tern::cpu
