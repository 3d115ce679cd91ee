#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "bench/ops/expected.hpp"
#include "bench/support/batch.hpp"
#include "bench/support/compare.hpp"
#include "bench/variants/cuda/cuda_device.hpp"
#include "bench/variants/cuda/device_tables.hpp"
#include "bench/variants/cuda/propagate_edge_scatter.cuh"
#include "bench/variants/cuda/propagate_heavy_blocks.cuh"
#include "bench/variants/cuda/propagate_merge_path.cuh"
#include "bench/variants/cuda/propagate_push_rows.cuh"
#include "bench/variants/cuda/propagate_row_per_block.cuh"
#include "bench/variants/cuda/propagate_row_per_warp.cuh"
#include "bench/variants/cuda/rivals.hpp"

// The strategies of propagate_*.cuh as cases.

namespace tern::bench {
namespace {

/// A graph and two tables of a rival on the device.
struct Product {
  Product(const Workload& w, Side to, const cuda::Memory& memory)
      : rows(to == Side::kUser ? w.interactions() : w.transposed(), memory),
        columns(to == Side::kUser ? w.transposed() : w.interactions(), memory),
        x(w, opposite(to), 1, memory),
        y(w.nodes(to), w.width(), memory) {}

  cuda::ProductTask task() const {
    return {.csr = rows.view(),
            .to_scale = rows.scale.data(),
            .from_scale = columns.scale.data(),
            .x = x.read_only(),
            .y = y.view()};
  }

  DeviceCsr rows;
  DeviceCsr columns;
  DeviceTable x;
  DeviceTable y;
};

using Launch = std::function<void(const cuda::Launcher&)>;

/// A case that runs `launch` and leaves its result in product->y.
PreparedCase prepared(Workload& w, Side to, Subset subset, std::shared_ptr<Product> product,
                      Launch launch) {
  CudaDevice& device = cuda_device(w);
  PreparedCase ready;
  ready.cost = cost_of_propagation(w, to, Addend::kNone, subset);
  if (subset != Subset::kFromBatch) ready.table = opposite(to);
  ready.timer = &device.rival_timer();
  ready.run = [&device, launch = std::move(launch)] { launch(cuda::Launcher(device.queue())); };
  ready.reset = [product] { product->y.poison(); };
  ready.verify = [&w, to, subset, product = std::move(product)] {
    expect_equal("propagate", product->y.download(), expected_propagation(w, to, subset),
                 w.width());
  };
  return ready;
}

PreparedCase row_per_warp(Workload& w, Side to) {
  auto product = std::make_shared<Product>(w, to, cuda_device(w).memory());
  return prepared(w, to, Subset::kAll, product, [product](const cuda::Launcher& launch) {
    cuda::run_propagate_row_per_warp(launch, product->task());
  });
}

PreparedCase row_per_block(Workload& w, Side to) {
  auto product = std::make_shared<Product>(w, to, cuda_device(w).memory());
  return prepared(w, to, Subset::kAll, product, [product](const cuda::Launcher& launch) {
    cuda::run_propagate_row_per_block(launch, product->task());
  });
}

PreparedCase heavy_blocks(Workload& w, Side to) {
  struct Heavy {
    cuda::DeviceArray<cuda::HeavyStretch> stretches;
    cuda::DeviceArray<cuda::HeavyRow> split;
    cuda::DeviceArray<float> partials;
  };
  const cuda::Memory memory = cuda_device(w).memory();
  auto product = std::make_shared<Product>(w, to, memory);
  const Interactions& rows = to == Side::kUser ? w.interactions() : w.transposed();
  const cuda::HeavyRows found = cuda::find_heavy_rows(rows.offsets());
  auto heavy = std::make_shared<Heavy>(
      Heavy{cuda::to_device(std::span(found.stretches), memory),
            cuda::to_device(std::span(found.split), memory),
            cuda::DeviceArray<float>(found.slots * product->x.stride(), memory)});
  return prepared(w, to, Subset::kAll, product, [=](const cuda::Launcher& launch) {
    cuda::run_propagate_heavy_blocks(launch, {.product = product->task(),
                                              .stretches = heavy->stretches.data(),
                                              .num_stretches = heavy->stretches.size(),
                                              .split = heavy->split.data(),
                                              .num_split = heavy->split.size(),
                                              .partials = heavy->partials.data()});
  });
}

PreparedCase merge_path(Workload& w, Side to) {
  struct Carries {
    cuda::DeviceArray<NodeId> rows;
    cuda::DeviceArray<float> sums;
  };
  const cuda::Memory memory = cuda_device(w).memory();
  auto product = std::make_shared<Product>(w, to, memory);
  const EdgeOffset edges = product->rows.columns.size();
  const std::int64_t shares = cuda::merge_shares(product->rows.num_rows, edges);
  auto carries = std::make_shared<Carries>(
      Carries{cuda::DeviceArray<NodeId>(shares, memory),
              cuda::DeviceArray<float>(shares * product->x.stride(), memory)});
  return prepared(w, to, Subset::kAll, product, [=](const cuda::Launcher& launch) {
    cuda::run_propagate_merge_path(launch, {.product = product->task(),
                                            .edges = edges,
                                            .carry_rows = carries->rows.data(),
                                            .carries = carries->sums.data()});
  });
}

PreparedCase edge_scatter(Workload& w, Side to) {
  const cuda::Memory memory = cuda_device(w).memory();
  auto product = std::make_shared<Product>(w, to, memory);
  const Interactions& rows = to == Side::kUser ? w.interactions() : w.transposed();
  std::vector<NodeId> of_edges;
  of_edges.reserve(rows.items().size());
  for (NodeId row = 0; row < rows.num_users(); ++row) {
    of_edges.insert(of_edges.end(), rows.row(row).size(), row);
  }
  auto edge_rows = std::make_shared<cuda::DeviceArray<NodeId>>(
      cuda::to_device(std::span<const NodeId>(of_edges), memory));
  return prepared(w, to, Subset::kAll, product, [=](const cuda::Launcher& launch) {
    cuda::run_propagate_edge_scatter(
        launch,
        {.product = product->task(), .edge_rows = edge_rows->data(), .edges = edge_rows->size()});
  });
}

PreparedCase push_rows(Workload& w, Side to) {
  const cuda::Memory memory = cuda_device(w).memory();
  auto product = std::make_shared<Product>(w, to, memory);
  const BatchRows batch(w);
  auto rows = std::make_shared<cuda::DeviceArray<NodeId>>(
      cuda::to_device(std::span<const NodeId>(batch[opposite(to)]), memory));
  return prepared(w, to, Subset::kFromBatch, product, [=](const cuda::Launcher& launch) {
    cuda::run_propagate_push_rows(launch, {.csr = product->columns.view(),
                                           .from_scale = product->columns.scale.data(),
                                           .to_scale = product->rows.scale.data(),
                                           .x = product->x.read_only(),
                                           .y = product->y.view(),
                                           .rows = rows->data(),
                                           .count = rows->size()});
  });
}

}  // namespace

void add_propagate_kernels(Cases& cases) {
  for (const Side to : {Side::kUser, Side::kItem}) {
    const std::string side = side_name(to);
    const auto add = [&](const std::string& variant, const char* strategy,
                         PreparedCase (*prepare)(Workload&, Side), const Axes& axes = {}) {
      cases.push_back({"propagate", variant, strategy, Bound::kGather,
                       [to, prepare](Workload& w) { return prepare(w, to); }, axes});
    };
    add("to_" + side, "row_per_warp", row_per_warp);
    add("to_" + side, "row_per_block", row_per_block);
    add("to_" + side, "heavy_blocks", heavy_blocks);
    add("to_" + side, "merge_path", merge_path);
    add("to_" + side, "edge_scatter", edge_scatter);
    add("from_batch_to_" + side, "push_rows", push_rows, kReadsBatch);
  }
}

}  // namespace tern::bench
