#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cuda/storage.hpp"
#include "cuda/support/launch.hpp"
#include "cuda/support/matmul.hpp"
#include "cuda/support/range.hpp"
#include "cuda/support/rank_parts.hpp"
#include "cuda/support/resources.hpp"
#include "tern/backend.hpp"

namespace tern::cuda {

struct CudaOptions {
  int device = 0;
  /// kNone: losses and l2_penalty add with float atomics, in no particular order, and plan nothing
  /// ahead.
  Reproducibility reproducibility = Reproducibility::kBitwise;
  /// The most bytes that triplets and their plan may take: longer epochs are planned a window of
  /// batches at a time. 0: a sixteenth of the device's memory.
  std::int64_t plan_bytes = 0;
  /// The most bytes that score_topk's results may take on the device before they are brought to the
  /// host.
  std::int64_t result_bytes = std::int64_t{64} << 20;
  /// The most bytes of a batch's mask of observed pairs (in_batch_softmax_observed.cu); if it would
  /// have more, each logit searches for its pair. The mask is quadratic in the batch size, while
  /// memory is promised to be linear: this is enough for 32,768 pairs.
  std::int64_t mask_bytes = std::int64_t{128} << 20;
  /// The ranks that have the other columns of every matrix; they outlive the backend. Its bpr and l2_penalty are
  /// those of whole rows; all other ops treat the part as a matrix of its own. Reproducible in any case, and
  /// rank 0's plan_bytes count. All ranks make the same calls in the same order. Null: it has all columns.
  RankGroup* ranks = nullptr;
  /// NCCL, which connects them; null: that of this machine. Read by the constructor alone.
  const NcclApi* nccl = nullptr;
  /// Waits after every launch, so that a failing kernel is named; recorded steps are then not
  /// captured. The program sets it by TERN_CUDA_SYNC=1.
  bool synchronous = false;
};

class CudaRecording;
class PendingOps;
struct AdamTask;
struct IncrementTask;
struct L2PenaltyTask;

/// The f32 backend for one GPU: kernels of cuda/ops on one stream. Ops return before the work is
/// done; a download or synchronize() waits. Not for several threads at a time. A method with
/// kernels is in cuda/ops/<method>.cu, record() in recording.cu, the others in backend.cu.
class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const CudaOptions& options);

  std::string name() const override { return "cuda:" + std::to_string(options_.device); }
  DeviceDescription describe() const override { return description_; }
  MemoryInfo memory() const override;

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

  void synchronize() override;
  double seconds(const std::function<void()>& work) override;
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
  void clear_padding(const MatrixView<float>& matrix);
  /// Rounds the matrices that an op has written to their copies, if they have some. Null: none.
  void refresh_copies(std::initializer_list<const Matrix*> written);
  friend class CudaRecording;

  /// Arrays of score_topk, kept from call to call and grown when needed.
  struct ScoreWorkspace {
    DeviceArray<NodeId> queries;
    DeviceArray<float> gathered;
    DeviceArray<float> scores;
    DeviceArray<NodeId> items;
    DeviceArray<float> top;
    DeviceArray<std::uint8_t> sorting;
  };
  struct ScoreBlock;

  /// Shared by all dense layers, which take turns.
  struct DenseWorkspace {
    Workspace partials;      // of sums over rows
    Workspace products;      // parts of weight gradients
    Workspace columns;       // gradients of scale and shift, if the caller does not want them
    Workspace gradients[2];  // of the inner and the outer sum
  };
  struct RowProduct;

  Memory pool_memory() const { return {pool_.get(), stream_.get()}; }
  /// The queue for an op that launches now. First it launches the ops of a recorded step that wait.
  Queue queue();
  /// The same for an op that changes a counter alone: most of those that wait go on waiting.
  Queue queue_of_counters(const Counter& counter);
  /// Whether an op of a recorded step waits, to share a launch with others; else it must be launched.
  bool deferred(const L2PenaltyTask& task);
  bool deferred(const IncrementTask& task);
  bool deferred(const AdamTask& task);
  DeviceScope use_device() const { return DeviceScope(options_.device); }
  /// Throws ShapeError if a recorded step is running: its ops must not do this.
  void expect_not_recording(const char* op) const;
  /// Throws ConfigError if other ranks have columns: the op needs whole rows, or the elements' places in them.
  void expect_all_columns(const char* op) const;
  /// At least `size` floats, of any value. Throws ShapeError if a recorded step that is being
  /// captured would have to allocate them.
  float* grow(Workspace& workspace, std::int64_t size, const char* op);

  // sample, next_batch
  void begin_epoch(TripletsStorage& state);
  void begin_window(TripletsStorage& state, std::int64_t first_batch);
  void plan_window(TripletsStorage& state, std::int64_t count);
  void draw_batch(const TripletsStorage& state);
  // linear_relu_batchnorm
  Matmul& matmul(const ProductShape& shape);
  void multiply_rows(const RowProduct& product);
  void multiply_weight(const Matrix& input, const float* gradient, Matrix& out);
  const float* sum_products(const DenseSum& sum, const MatrixView<float>& to);
  void linear(const DenseSum& sum, Matrix& z);
  void differentiate(const DenseSum& sum, const DenseSumGradients& gradients, const float* gradient,
                     const DenseState& state);
  // score_topk
  void multiply(const Matrix& users, const Matrix& items, const ScoreBlock& block);
  void score_block(const Matrix& users, const Matrix& items, std::span<const Graph* const> observed,
                   const ScoreBlock& block);

  CudaOptions options_;
  DeviceDescription description_;  // asked for once: it is part of every snapshot
  int multiprocessors_ = 1;
  std::int64_t cache_bytes_ = 0;
  std::int64_t plan_bytes_ = 0;
  // In the order in which the later ones need the earlier ones.
  MemoryPool pool_;
  Stream stream_;
  std::unique_ptr<RankParts> ranks_;  // null: this backend has all columns
  CublasHandle cublas_;               // made when first needed: it costs time and memory
  DeviceArray<std::uint8_t> cublas_workspace_;
  ScoreWorkspace score_;
  std::unique_ptr<Matmul> matmul_;  // likewise
  DenseWorkspace dense_;
  CudaRecording* recording_ = nullptr;  // whose step is running
};

/// The backend's view of a handle that it made. Throws ShapeError on an empty or a foreign one.
MatrixView<float> view(const Matrix& matrix);
MatrixView<const float> read_only_view(const Matrix& matrix);
/// The bf16 copy that propagate gathers from; an op that writes the matrix itself must keep it fresh.
GatherCopyView copy_view(const Matrix& matrix);
GraphStorage& storage(const Graph& graph);
const RowSetStorage& storage(const RowSet& rows);
TripletsStorage& storage(const Triplets& triplets);
CounterStorage& storage(const Counter& counter);
RowStepsStorage& storage(const RowSteps& steps);
DenseStateStorage& storage(const DenseState& state);

/// A row set as kernels see it; null: every row.
RowsView row_view(const RowSet* rows);
/// The counter's value in device memory; null for null.
std::int64_t* counter_value(const Counter* counter);

/// A step that is run once, then captured, then replayed as a CUDA graph. Some of its ops share a launch
/// (cuda/ops/pending_ops.hpp), in all three.
class CudaRecording final : public Recording {
 public:
  CudaRecording(CudaBackend& backend, std::function<void()> step);
  ~CudaRecording() override;
  void replay() override;

  bool capturing() const { return capturing_; }
  /// Kernels, copies and fills of the captured step; 0 before it is captured.
  std::size_t num_nodes() const { return num_nodes_; }
  /// The ops of the running step that are not launched yet.
  PendingOps& pending() { return *pending_; }
  /// Counts a next_batch() of these triplets in the step.
  void note_next_batch(TripletsStorage& triplets);

 private:
  struct Progress {
    TripletsStorage* triplets;
    std::int64_t batches;  // that a replay moves on by
  };
  void run();
  void capture();
  bool planned() const;
  /// Forgets ops that wait: an earlier run may have failed half-way.
  void drop_pending();

  CudaBackend& backend_;
  std::function<void()> step_;
  bool ran_ = false;
  bool capturing_ = false;
  std::vector<Progress> progress_;
  std::unique_ptr<PendingOps> pending_;
  ExecutableGraph graph_;
  std::size_t num_nodes_ = 0;
};

}  // namespace tern::cuda
