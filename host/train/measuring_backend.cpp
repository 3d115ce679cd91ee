#include "host/train/measuring_backend.hpp"

#include <algorithm>
#include <utility>

#include "host/backend/checks.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

constexpr char kLayers[] = "layers";
constexpr char kGraph[] = "graph";
constexpr char kTriplets[] = "triplets";
constexpr char kParameters[] = "parameters";
constexpr char kGradients[] = "gradients";
constexpr char kOptimizer[] = "optimizer";
constexpr char kWorkspace[] = "workspace";

/// Counted until it goes.
class Counted {
 public:
  Counted(std::shared_ptr<Ledger> ledger, std::string part, std::int64_t bytes)
      : ledger_(std::move(ledger)), part_(std::move(part)), bytes_(bytes) {
    ledger_->take(part_, bytes_);
  }
  ~Counted() { ledger_->give_back(part_, bytes_); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  /// The first purpose that is told is the right one: a table that a loss writes gradients to may
  /// be a layer at other times.
  void tell(const std::string& part) {
    if (part_ != kLayers) return;
    ledger_->give_back(part_, bytes_);
    part_ = part;
    ledger_->take(part_, bytes_);
  }

 private:
  std::shared_ptr<Ledger> ledger_;
  std::string part_;
  std::int64_t bytes_;
};

struct CountedStorage : Storage {
  CountedStorage(const std::shared_ptr<Ledger>& ledger, const char* part, std::int64_t bytes)
      : counted(ledger, part, bytes) {}
  Counted counted;
};

struct GraphSketch final : CountedStorage {
  GraphSketch(const std::shared_ptr<Ledger>& ledger, std::int64_t bytes, const Interactions& of)
      : CountedStorage(ledger, kGraph, bytes), interactions(of) {}
  const Interactions& interactions;
};

struct TripletsSketch final : CountedStorage {
  TripletsSketch(const std::shared_ptr<Ledger>& ledger, std::int64_t bytes,
                 const SamplingCounts& of)
      : CountedStorage(ledger, kTriplets, bytes), counts(of) {}
  SamplingCounts counts;
};

struct NothingStorage final : Storage {};

struct CounterValue final : Storage {
  explicit CounterValue(std::int64_t start) : value(start) {}
  std::int64_t value;
};

std::int64_t& value_of(const Counter& counter) {
  return storage_of<CounterValue>(counter, "measure", "counter").value;
}

void tell(const Matrix& matrix, const char* part) {
  if (!matrix.empty()) storage_of<CountedStorage>(matrix, "measure", "matrix").counted.tell(part);
}

class Unplayed final : public Recording {
 public:
  explicit Unplayed(std::function<void()> step) : step_(std::move(step)) {}
  void replay() override { step_(); }

 private:
  std::function<void()> step_;
};

}  // namespace

void Ledger::take(const std::string& part, std::int64_t bytes) {
  parts[part] += bytes;
  live += bytes;
  peak = std::max(peak, live);
}

MeasuringBackend::MeasuringBackend(std::unique_ptr<MemoryModel> model)
    : model_(std::move(model)), ledger_(std::make_shared<Ledger>()) {}

void MeasuringBackend::use(const OpRooms& rooms) {
  std::int64_t passing = 0;
  for (const OpRoom& room : rooms) {
    if (!room.kept) {
      passing += room.bytes;
      continue;
    }
    std::int64_t& before = kept_[room.name];
    if (room.bytes <= before) continue;
    ledger_->take(kWorkspace, room.bytes - before);
    before = room.bytes;
  }
  ledger_->pass(passing);
}

Matrix MeasuringBackend::allocate(std::int64_t rows, std::int64_t cols) {
  check_allocate(rows, cols, sizeof(float));
  return {std::make_unique<CountedStorage>(ledger_, kLayers, model_->matrix(rows, cols)), rows,
          cols};
}

void MeasuringBackend::download(const Matrix& /*from*/, std::span<float> values) {
  std::ranges::fill(values, 0.0F);
}
void MeasuringBackend::download(const Matrix& /*from*/, std::span<double> values) {
  std::ranges::fill(values, 0.0);
}

Graph MeasuringBackend::make_graph(const Interactions& interactions) {
  const Footprint footprint = model_->graph(interactions);
  auto sketch = std::make_unique<GraphSketch>(ledger_, footprint.lasting, interactions);
  ledger_->pass(footprint.passing);
  return {std::move(sketch), interactions.num_users(), interactions.num_items(),
          interactions.size()};
}

RowSet MeasuringBackend::make_row_set(NodeId num_nodes, std::span<const NodeId> rows) {
  return {std::make_unique<NothingStorage>(), num_nodes, static_cast<std::int64_t>(rows.size())};
}

Counter MeasuringBackend::make_counter(std::int64_t value) {
  return Counter(std::make_unique<CounterValue>(value));
}
void MeasuringBackend::set(Counter& counter, std::int64_t value) {
  value_of(counter) = value;
}
std::int64_t MeasuringBackend::get(const Counter& counter) {
  return value_of(counter);
}
void MeasuringBackend::increment(Counter& counter) {
  ++value_of(counter);
}

double MeasuringBackend::seconds(const std::function<void()>& work) {
  work();
  return 0.0;
}

std::unique_ptr<Recording> MeasuringBackend::record(std::function<void()> step) {
  return std::make_unique<Unplayed>(std::move(step));
}

Triplets MeasuringBackend::make_triplets(const Graph& graph, const SamplingOptions& options,
                                         std::int64_t batch_size) {
  const auto& sketch = storage_of<GraphSketch>(graph, "measure", "graph");
  const SamplingCounts counts =
      check_make_triplets(options, batch_size, sketch.interactions.offsets(), graph.num_items());
  const std::int64_t size = counts.interactions * options.negatives_per_positive;
  const std::int64_t batch = std::min(batch_size, size);
  const Footprint footprint =
      model_->triplets({.users = graph.num_users(),
                        .items = graph.num_items(),
                        .interactions = graph.size(),
                        .participants = counts.users - counts.users_without_interactions -
                                        counts.users_with_every_item,
                        .size = size,
                        .batch_size = batch},
                       options);
  auto storage = std::make_unique<TripletsSketch>(ledger_, footprint.lasting, counts);
  ledger_->pass(footprint.passing);
  const auto rows = [&](NodeId nodes, std::int64_t each) {
    return RowSet(std::make_unique<NothingStorage>(), nodes,
                  std::min<std::int64_t>(nodes, each * batch));
  };
  return {std::move(storage), size, batch, rows(graph.num_users(), 1), rows(graph.num_items(), 2)};
}

SamplingCounts MeasuringBackend::sampling_counts(const Triplets& triplets) const {
  return storage_of<TripletsSketch>(triplets, "measure", "triplets").counts;
}

void MeasuringBackend::propagate(const Graph& graph, Side to, const Matrix& /*x*/, Matrix& y,
                                 const PropagateOptions& /*options*/) {
  use(model_->propagate(storage_of<GraphSketch>(graph, "measure", "graph").interactions, to,
                        y.cols()));
}

DenseState MeasuringBackend::make_dense_state(std::int64_t rows, std::int64_t cols) {
  check_allocate(rows, cols, sizeof(float));
  return {std::make_unique<CountedStorage>(ledger_, kLayers, model_->dense_state(rows, cols)), rows,
          cols};
}

void MeasuringBackend::linear_relu_batchnorm(const DenseLayer& /*layer*/, DenseMode /*mode*/,
                                             DenseState& state, Matrix& /*z*/) {
  use(model_->dense_forward(state.rows(), state.cols()));
}

void MeasuringBackend::linear_relu_batchnorm_backward(const DenseLayer& layer, DenseState& state,
                                                      const Matrix& /*grad_z*/,
                                                      const DenseGradients& gradients) {
  use(model_->dense_backward(state, layer, gradients));
}

void MeasuringBackend::bpr(Triplets& /*triplets*/, const Matrix& /*users*/, const Matrix& /*items*/,
                           Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
  tell(grad_users, kGradients);
  tell(grad_items, kGradients);
  tell(losses, kTriplets);
}

void MeasuringBackend::l2_penalty(Triplets& /*triplets*/, double /*lambda*/,
                                  const Matrix& /*users*/, const Matrix& /*items*/,
                                  Matrix& grad_users, Matrix& grad_items, Matrix& /*losses*/) {
  tell(grad_users, kGradients);
  tell(grad_items, kGradients);
}

void MeasuringBackend::adam(const AdamOptions& /*options*/, const Counter& /*step*/,
                            const Matrix& gradient, Matrix& parameter, AdamState& state,
                            const RowSet* /*rows*/, Counter* /*fault*/) {
  tell(parameter, kParameters);
  tell(gradient, kGradients);
  tell(state.first_moment, kOptimizer);
  tell(state.second_moment, kOptimizer);
}

void MeasuringBackend::sgd(const SgdOptions& /*options*/, const Counter& /*step*/,
                           const Matrix& gradient, Matrix& parameter, SgdState& state,
                           const RowSet* /*rows*/, Counter* /*fault*/) {
  tell(parameter, kParameters);
  tell(gradient, kGradients);
  tell(state.velocity, kOptimizer);
}

void MeasuringBackend::score_topk(const Matrix& users, const Matrix& items,
                                  std::span<const NodeId> queries,
                                  std::span<const Graph* const> /*observed*/, std::int64_t k,
                                  TopItems& /*top*/) {
  use(model_->score_topk(static_cast<std::int64_t>(queries.size()), users.cols(), items.rows(), k));
}

EmbeddingStatistics MeasuringBackend::embedding_statistics(const Matrix& embeddings) {
  use(model_->embedding_statistics(embeddings.rows(), embeddings.cols()));
  EmbeddingStatistics none;
  none.rows = embeddings.rows();
  return none;
}

}  // namespace tern
