#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/support/device.hpp"
#include "tern/backend.hpp"
#include "tern/interactions.hpp"

namespace tern::bench {

/// The size of a graph, named after the data set that has it.
struct Shape {
  std::string_view name;
  NodeId users;
  NodeId items;
  std::int64_t interactions;  // of the training split
};

/// Sizes as their papers state them: Gowalla, Yelp2018, Amazon-Book (He et al. 2020, table 2; the
/// training share of the published splits), MovieLens-1M (Harper and Konstan 2015, all ratings).
/// "million" is no data set, but a million users for the figures of the dense layer.
const std::vector<Shape>& known_shapes();

/// Interactions of a known shape, generated: power-law degrees, planted tastes, seed 1.
/// Throws ConfigError on an unknown name.
Interactions generate_shape(std::string_view name);

/// The data that the cases of one run share: the graph on the backend under test and on the
/// reference, and tables of the right sizes on both with the same content (N(0, 0.1²), seed 1).
class Workload {
 public:
  Workload(Backend& backend, Device& device, Interactions interactions, std::int64_t width,
           int threads, std::int64_t batch_size = kBatchSize);

  Backend& backend() const { return backend_; }
  Device& device() const { return device_; }
  Backend& reference() const { return *reference_; }
  const Interactions& interactions() const { return interactions_; }
  const Interactions& transposed() const { return transposed_; }
  const Graph& graph() const { return graph_; }
  const Graph& reference_graph() const { return reference_graph_; }
  std::int64_t width() const { return width_; }
  std::int64_t nodes(Side side) const { return graph_.num_nodes(side); }
  int threads() const { return threads_; }

  static constexpr std::int64_t kBatchSize = 2048;  // unless another is given
  std::int64_t batch_size() const { return batch_size_; }
  /// How triplets are drawn: the defaults, seed 1.
  static SamplingOptions sampling();
  /// The triplets of epoch 0, drawn by the CPU backend.
  const std::vector<Triplet>& epoch() const { return epoch_; }

  /// Normal values (nodes of the side, width), one table for each salt; f32 numbers everywhere. Tables of up to
  /// kKeptBytes are kept: every process of a run makes all cases, and most of them read the same tables.
  std::vector<float> table_values(Side side, std::uint32_t salt) const;
  static constexpr std::size_t kKeptBytes = std::size_t{64} << 20;
  Matrix table(Backend& backend, Side side, std::uint32_t salt) const;
  /// The rows that propagation reads from the side's table, in its order: one an interaction.
  std::span<const NodeId> gathered_rows(Side side) const {
    return side == Side::kUser ? transposed_.items() : interactions_.items();
  }

 private:
  Backend& backend_;
  Device& device_;
  std::unique_ptr<Backend> reference_;
  Interactions interactions_;
  Interactions transposed_;
  Graph graph_;
  Graph reference_graph_;
  std::vector<Triplet> epoch_;
  std::int64_t width_;
  int threads_;
  std::int64_t batch_size_;
  mutable std::map<std::pair<Side, std::uint32_t>, std::vector<float>> kept_;
};

/// 1/sqrt(degree) of each row, 0 for degree 0: rivals of propagate weigh edges with these.
std::vector<float> degree_scales(const Interactions& rows);

}  // namespace tern::bench
