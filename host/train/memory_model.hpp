#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tern/dense_layer.hpp"
#include "tern/interactions.hpp"
#include "tern/memory.hpp"
#include "tern/sampling.hpp"

namespace tern {

/// Bytes for what stays, and the most beside it while that is being made.
struct Footprint {
  std::int64_t lasting = 0;
  std::int64_t passing = 0;
};

/// Room that an op works in: kept for later calls and grown by the largest, or given back.
struct OpRoom {
  std::string name;
  std::int64_t bytes = 0;
  bool kept = false;
};
using OpRooms = std::vector<OpRoom>;

struct TripletSizes {
  std::int64_t users = 0;
  std::int64_t items = 0;
  std::int64_t interactions = 0;
  std::int64_t participants = 0;
  std::int64_t size = 0;
  std::int64_t batch_size = 0;
};

/// What a backend takes for what it is asked for, in bytes of its own memory: each formula says in
/// other words what the backend's own code allocates, and is held against it by a test.
class MemoryModel {
 public:
  virtual ~MemoryModel() = default;

  virtual std::int64_t matrix(std::int64_t rows, std::int64_t cols) const = 0;
  virtual Footprint graph(const Interactions& interactions) const = 0;
  virtual Footprint triplets(const TripletSizes& sizes, const SamplingOptions& options) const = 0;
  virtual std::int64_t dense_state(std::int64_t rows, std::int64_t cols) const = 0;

  virtual OpRooms propagate(const Interactions& graph, Side to, std::int64_t cols) const = 0;
  virtual OpRooms dense_forward(std::int64_t rows, std::int64_t cols) const = 0;
  virtual OpRooms dense_backward(const DenseState& state, const DenseLayer& layer,
                                 const DenseGradients& gradients) const = 0;
  virtual OpRooms score_topk(std::int64_t queries, std::int64_t cols, std::int64_t items,
                             std::int64_t k) const = 0;
  virtual OpRooms embedding_statistics(std::int64_t rows, std::int64_t cols) const = 0;
};

std::unique_ptr<MemoryModel> make_reference_memory_model();
std::unique_ptr<MemoryModel> make_cpu_memory_model(int threads);
std::unique_ptr<MemoryModel> make_cuda_memory_model(const MemoryTarget& target,
                                                    Reproducibility reproducibility);

}  // namespace tern
