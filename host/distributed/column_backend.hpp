#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/backend/partial_sums.hpp"
#include "host/distributed/column_exchange.hpp"
#include "host/distributed/columns.hpp"
#include "host/distributed/communicator.hpp"
#include "host/distributed/whole_tables.hpp"
#include "tern/backend.hpp"

namespace tern::distributed {

/// Throws ConfigError, with the most ranks, if a matrix of this width has fewer groups of columns than ranks.
/// `what` names the width in the message.
void expect_enough_columns(std::string_view what, std::int64_t width, int ranks);

/// A backend for one of several ranks that train one model together. Each holds all rows and a part of
/// the columns of every matrix that is not replicated (MatrixOptions), in the CPU backend; to its users a
/// matrix is whole. Ops on the step's tables work on the rank's own columns: bpr, sampled_contrast,
/// l2_penalty and normalize_rows exchange sums over the columns, the other losses the batch's rows,
/// linear_relu_batchnorm its inputs and their gradients, all
/// others nothing. What leaves the step is whole on every rank:
/// download and embedding_statistics gather the table, and score_topk ranks a part of the queries on each
/// rank. These three are collective, as are steps, and get() of a counter of faults.
///
/// Every rank must make the same calls in the same order, which the same program on the same data and
/// configuration does: all that it can read is the same on every rank, bit for bit.
class ColumnBackend final : public Backend {
 public:
  /// The communicator must outlive the backend. threads: of this rank; 0: all that the process may use.
  ColumnBackend(Communicator& communicator, int threads);

  std::string name() const override { return inner_->name(); }
  DeviceDescription describe() const override;
  MemoryInfo memory() const override { return inner_->memory(); }

  /// Throws ConfigError if the matrix has fewer groups of columns than there are ranks, unless it is
  /// replicated.
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
  void synchronize() override { inner_->synchronize(); }
  double seconds(const std::function<void()>& work) override { return inner_->seconds(work); }
  std::unique_ptr<Recording> record(std::function<void()> step) override;

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
  /// What ops exchange with the other ranks.
  class Sums final : public PartialSums {
   public:
    Sums(Communicator& communicator, ColumnExchange& exchange)
        : communicator_(communicator), exchange_(exchange) {}
    /// The width of the tables of the next op.
    void set_width(std::int64_t width) { width_ = width; }
    Place place() const override;
    void complete(std::span<double> values) override { communicator_.all_reduce(values); }
    void gather(std::span<const float> own, const MatrixView<float>& whole) override;

   private:
    Communicator& communicator_;
    ColumnExchange& exchange_;
    std::int64_t width_ = 0;
  };

  /// A gathered copy, and the version of the matrix that it is a copy of.
  struct Gathered {
    std::uint64_t version = 0;
    Matrix whole;
  };

  /// This rank's part of a matrix. One that is written becomes a new version.
  const Matrix& part(const Matrix& matrix) const;
  Matrix& part(Matrix& matrix);
  Counter* part(Counter* fault);
  bool is_split(const Matrix& matrix) const;
  /// Before an op that needs whole rows of a table. Throws ShapeError if each rank has it whole.
  void begin_whole_rows(std::string_view op, const Matrix& table);
  PairWeight part(const PairWeight& weight) const;
  RowSum part(const RowSum& sum);
  ColumnRange columns(std::int64_t width) const;
  template <class Value>
  void upload_part(std::span<const Value> values, Matrix& to);
  template <class Value>
  void download_whole(const Matrix& from, std::span<Value> values);
  /// An input of a dense layer with all of its columns; valid as long as the lease.
  const Matrix& whole_input(const Matrix& input, WholeTables::Lease& lease);
  /// This rank's columns of a sum of a dense layer. reads(t): whether input t is read; else its content
  /// is undefined.
  template <class Reads>
  DenseSum part_of(const DenseSum& sum, WholeTables::Lease& lease, const Reads& reads);
  std::optional<BatchNorm> part_of(const std::optional<BatchNorm>& norm);
  /// A copy of a matrix with all of its columns, in the inner backend.
  Matrix gather(const Matrix& matrix);
  /// The same, kept until the matrix changes or training goes on: the monitors and the rankings of an
  /// evaluation read the same tables. Valid until two other matrices were asked for.
  const Matrix& whole(const Matrix& matrix);

  Communicator& communicator_;
  ColumnExchange exchange_;
  Sums sums_;
  WholeTables whole_tables_;
  std::unique_ptr<Backend> inner_;
  std::uint64_t versions_ = 0;
  std::list<Gathered> gathered_;  // the newest first; at most two
};

}  // namespace tern::distributed
