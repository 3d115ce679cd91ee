// The memory formula: each line follows the code that allocates, in host/model, host/train and the
// backends. Small blocks are left out.

#include <omp.h>

#include <algorithm>
#include <array>

#include "host/model/message.hpp"
#include "host/train/memory_parts.hpp"

namespace tern {
namespace {

using Kind = MemoryTarget::Kind;

struct ModelMemory {
  std::int64_t values = 0;  // elements in a checkpoint, without the optimiser's
  Bytes parameters = 0, layers = 0, scratch = 0;
  Bytes encoded = 0;  // features, while the model is built
};

std::int64_t columns(const MessageSizes& x) {
  return x.numbers + x.categories + x.learned;
}

/// One side of a GC-MC layer of `width` columns. x and y: its input, and that of the other side.
void add_half(ModelMemory& memory, Kind kind, const MessageSizes& x, MessageSizes y,
              std::int64_t width) {
  const auto m = [&](auto rows, auto cols) { return matrix_bytes(kind, rows, cols); };
  const std::int64_t weights = columns(x) + columns(y) + width + 7;  // rows
  memory.values += weights * width;
  memory.parameters += m(weights, width);
  // The dense state, h, z and their gradients; products with the 0/1 columns.
  memory.layers += 5 * m(x.senders, width) + (x.categories > 0 ? 2 * m(x.senders, width) : 0) +
                   (y.categories > 0 ? 2 * m(y.senders, width) : 0);
  y.receivers = x.senders;
  y.width = width;
  if (cheaper_order(y) == MessageOrder::kLinearFirst) {
    memory.layers += 3 * m(y.senders, width);
  } else {
    memory.layers += m(y.receivers, width) + m(y.receivers, y.numbers) + m(y.receivers, 1) +
                     m(y.receivers, y.categories) + 2 * m(y.receivers, y.learned) +
                     m(y.senders, y.learned);
    memory.encoded += 8 * y.categories * y.categories + 4 * y.senders * y.categories;
  }
  const std::int64_t rows = std::max(x.senders, y.senders);
  if (kind == Kind::kCpu) {  // gradients of the weights, by stretches of rows
    memory.scratch += std::min<std::int64_t>(63, rows / 512) * m(weights, width);
  } else {  // shared by all layers; libraries and partial sums take 40 MiB
    memory.scratch = std::max(memory.scratch, 3 * m(rows, width) + 40 * kMiB);
  }
}

ModelMemory model_memory(Kind kind, const Dataset& data, const ModelOptions& options) {
  ModelMemory memory;
  const EncodedDataset features = features_for(data, options);
  std::array<MessageSizes, 2> inputs;
  for (const std::size_t side : {0, 1}) {
    MessageSizes& x = inputs[side];
    const auto& encoded = side == 0 ? features.users : features.items;
    x.senders = side == 0 ? data.train.num_users() : data.train.num_items();
    x.edges = data.train.size();
    if (encoded) {
      x.numbers = std::ssize(encoded->number_names);
      x.categories = encoded->categories.num_items();
      x.ones = encoded->categories.size();
      memory.layers += matrix_bytes(kind, x.senders, x.numbers) + graph_bytes(encoded->categories);
      memory.encoded += encoded_bytes(*encoded);
    }
    if (encoded && options.inputs != InputKind::kBoth) continue;
    x.learned = options.width;
    memory.values += x.senders * x.learned;
    memory.parameters += matrix_bytes(kind, x.senders, x.learned);
  }
  if (options.kind == ModelKind::kLightGcn && options.layers > 0) {
    memory.layers = 2 * memory.parameters;
  }
  if (options.kind != ModelKind::kGcMc) return memory;
  std::vector<int> widths = options.hidden;
  widths.push_back(options.width);
  for (const int width : widths) {
    add_half(memory, kind, inputs[0], inputs[1], width);
    add_half(memory, kind, inputs[1], inputs[0], width);
    for (MessageSizes& x : inputs) x = {.senders = x.senders, .edges = x.edges, .learned = width};
  }
  return memory;
}

}  // namespace

MemoryEstimate estimate_memory(const MemoryTarget& target, const Dataset& data,
                               const Config& config) {
  const Kind kind = target.kind;
  const bool gpu = kind == Kind::kCuda;
  const int threads = config.threads > 0 ? config.threads : omp_get_max_threads();
  const ModelMemory model = model_memory(kind, data, config.model);
  const OptimizerOptions& optimizer = config.optimizer;
  const int moments = optimizer.kind == OptimizerKind::kAdam ? 2 : optimizer.sgd.momentum != 0.0;
  const Bytes copy = (kind == Kind::kReference ? 8 : 4) * model.values;
  const bool on_test = config.select_on == SelectionSplit::kTest && data.valid.size() > 0;

  MemoryEstimate estimate;
  const auto add = [&](const char* name, Bytes bytes, const char* keys) {
    estimate.parts.push_back({name, gpu ? 0 : bytes, gpu ? bytes : 0, keys});
  };
  estimate.parts.push_back({"data", data_bytes(data), 0, "data.k_core"});
  add("graph", graph_bytes(data.train) + (on_test ? graph_bytes(data.valid) : 0), "data.k_core");
  add("triplets", triplet_bytes(target, data.train, config), "train.batch_size");
  add("parameters", model.parameters, "model.width");
  add("gradients", model.parameters, "model.width");
  add("optimizer", moments * model.parameters, "model.width, optimizer.kind");
  add("layers", model.layers, "model.width, model.hidden");
  add("scratch", model.scratch + evaluation_bytes(kind, data.train, config, threads),
      "model.width, train.threads");
  const auto add_host = [&](const char* name, Bytes bytes, const char* keys) {
    estimate.parts.push_back({name, bytes, 0, keys});
  };
  // A checkpoint copies parameters and moments to the host. Encoded features and the sorting of a
  // CPU's graph take room there at other times.
  add_host("best", copy, "model.width");
  add_host("checkpoint",
           std::max({(1 + moments) * copy, model.encoded, gpu ? 0 : 4 * data.train.size()}),
           "model.width");
  // The C library keeps some of the blocks that were freed: up to 3% was measured.
  add_host("allocator", (estimate.host() - estimate.parts.front().host) / 20, "");
  add_host("process", process_bytes(threads), "train.threads");
  return estimate;
}

}  // namespace tern
