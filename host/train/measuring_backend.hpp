#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/train/memory_model.hpp"
#include "tern/backend.hpp"

namespace tern {

/// What was asked for, by purpose. Shared with the handles, which may outlive the backend.
struct Ledger {
  std::int64_t live = 0;
  std::int64_t peak = 0;
  std::map<std::string, std::int64_t> parts;

  void take(const std::string& part, std::int64_t bytes);
  void give_back(const std::string& part, std::int64_t bytes) { take(part, -bytes); }
  /// Beside what is live, for a moment.
  void pass(std::int64_t bytes) { peak = std::max(peak, live + bytes); }
};

/// A backend that allocates nothing, computes nothing, and counts the bytes that another backend
/// would take. What a matrix is for is told by the ops that it meets: what adam and sgd step is a
/// parameter, what they keep is the optimiser's; downloads give zeros.
class MeasuringBackend final : public Backend {
 public:
  explicit MeasuringBackend(std::unique_ptr<MemoryModel> model);

  const Ledger& ledger() const { return *ledger_; }

  std::string name() const override { return "measuring"; }
  DeviceDescription describe() const override { return {"none", "f32", "counts bytes"}; }
  MemoryInfo memory() const override { return {}; }

  Matrix allocate(std::int64_t rows, std::int64_t cols) override;
  void upload(std::span<const float> /*values*/, Matrix& /*to*/) override {}
  void upload(std::span<const double> /*values*/, Matrix& /*to*/) override {}
  void download(const Matrix& from, std::span<float> values) override;
  void download(const Matrix& from, std::span<double> values) override;
  void copy(const Matrix& /*from*/, Matrix& /*to*/) override {}
  void fill(Matrix& /*matrix*/, double /*value*/) override {}
  Graph make_graph(const Interactions& interactions) override;
  RowSet make_row_set(NodeId num_nodes, std::span<const NodeId> rows) override;
  Counter make_counter(std::int64_t value) override;
  void set(Counter& counter, std::int64_t value) override;
  std::int64_t get(const Counter& counter) override;
  void increment(Counter& counter) override;
  void synchronize() override {}
  double seconds(const std::function<void()>& work) override;
  std::unique_ptr<Recording> record(std::function<void()> step) override;

  Triplets make_triplets(const Graph& graph, const SamplingOptions& options,
                         std::int64_t batch_size) override;
  SamplingCounts sampling_counts(const Triplets& triplets) const override;
  void sample(Triplets& /*triplets*/, std::uint32_t /*epoch*/) override {}
  void set_triplets(Triplets& /*triplets*/, std::span<const Triplet> /*values*/) override {}
  std::vector<Triplet> get_triplets(const Triplets& /*triplets*/) override { return {}; }
  void next_batch(Triplets& /*triplets*/) override {}

  void propagate(const Graph& graph, Side to, const Matrix& x, Matrix& y,
                 const PropagateOptions& options) override;
  DenseState make_dense_state(std::int64_t rows, std::int64_t cols) override;
  void linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode, DenseState& state,
                             Matrix& z) override;
  void linear_relu_batchnorm_backward(const DenseLayer& layer, DenseState& state,
                                      const Matrix& grad_z,
                                      const DenseGradients& gradients) override;
  void dropout(const DropoutOptions& /*options*/, const Counter& /*step*/,
               Matrix& /*values*/) override {}
  void bpr(Triplets& triplets, const Matrix& users, const Matrix& items, Matrix& grad_users,
           Matrix& grad_items, Matrix& losses) override;
  void l2_penalty(Triplets& triplets, double lambda, const Matrix& users, const Matrix& items,
                  Matrix& grad_users, Matrix& grad_items, Matrix& losses) override;
  void adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
            Matrix& parameter, AdamState& state, const RowSet* rows, Counter* fault) override;
  void sgd(const SgdOptions& options, const Counter& step, const Matrix& gradient,
           Matrix& parameter, SgdState& state, const RowSet* rows, Counter* fault) override;
  void score_topk(const Matrix& users, const Matrix& items, std::span<const NodeId> queries,
                  std::span<const Graph* const> observed, std::int64_t k, TopItems& top) override;
  EmbeddingStatistics embedding_statistics(const Matrix& embeddings) override;

 private:
  void use(const OpRooms& rooms);

  std::unique_ptr<MemoryModel> model_;
  std::shared_ptr<Ledger> ledger_;
  std::map<std::string, std::int64_t> kept_;  // rooms of ops, by name
};

}  // namespace tern
