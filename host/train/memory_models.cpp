// The memory formula of graphs and models, and of what ranks gather for them: each line follows the code that
// allocates, in host/model, host/distributed and the backends.

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "host/backend/row_segments.hpp"
#include "host/distributed/columns.hpp"
#include "host/model/message.hpp"
#include "host/train/memory_parts.hpp"
#include "tern/feature_encoding.hpp"
#include "tern/model.hpp"

namespace tern::memory {

Bytes bytes_of(const Interactions& interactions) {
  return static_cast<Bytes>(interactions.offsets().size_bytes() +
                            interactions.items().size_bytes());
}

std::int64_t segments_of(const Interactions& interactions) {
  std::vector<EdgeOffset> degrees(static_cast<std::size_t>(interactions.num_items()));
  std::int64_t segments = 0;
  for (const NodeId item : interactions.items()) ++degrees[static_cast<std::size_t>(item)];
  for (const EdgeOffset degree : degrees) segments += segments_of_row(degree);
  for (NodeId user = 0; user < interactions.num_users(); ++user) {
    segments += segments_of_row(std::ssize(interactions.row(user)));
  }
  return segments;
}

Bytes graph_bytes(Kind kind, const Interactions& interactions) {
  const Bytes bytes =
      8 * interactions.size() + 16 * (Bytes{interactions.num_users()} + interactions.num_items());
  return kind == Kind::kCuda ? bytes + 32 * segments_of(interactions) : bytes;
}

namespace {

/// The copy of such a matrix that propagate gathers from. The reference has none; a GPU's has a row more.
Bytes copy_bytes(Kind kind, std::int64_t rows, std::int64_t cols) {
  if (kind == Kind::kReference || cols == 0) return 0;
  if (kind == Kind::kCuda) return 2 * (rows + 1) * round_up(cols, 8);
  return block_bytes(2 * rows * round_up(cols, 16));
}

/// One side of a GC-MC layer of `width` columns. x and y: its input, and that of the other side. Every matrix
/// but constant inputs has a rank's columns.
void add_half(ModelMemory& memory, Kind kind, const MessageSizes& x, MessageSizes y,
              std::int64_t width, int ranks) {
  const auto m = [&](auto rows, auto cols) { return matrix_bytes(kind, rows, cols); };
  const std::int64_t own = distributed::most_columns(width, ranks);
  const std::int64_t own_learned = distributed::most_columns(y.learned, ranks);
  const auto columns = [](const MessageSizes& of) {
    return of.numbers + of.categories + of.learned;
  };
  const std::int64_t weights = columns(x) + columns(y) + width + 7;  // rows
  memory.values += weights * width;
  memory.parameters += m(weights, own);
  // The dense state, h, z and their gradients; products with the 0/1 columns.
  memory.layers += 5 * m(x.senders, own) + (x.categories > 0 ? 2 * m(x.senders, own) : 0) +
                   (y.categories > 0 ? 2 * m(y.senders, own) : 0);
  y.receivers = x.senders;
  y.width = width;
  const auto copy = [&](auto rows, auto cols) { return copy_bytes(kind, rows, cols); };
  const bool linear_first = cheaper_order(y) == MessageOrder::kLinearFirst;
  if (linear_first) {
    memory.layers += 3 * m(y.senders, own);
    memory.copies += copy(y.senders, own) + copy(y.receivers, own);
  } else {
    // The learned input, and the gradient of its propagation.
    memory.copies += copy(y.senders, own_learned) + copy(y.receivers, own_learned);
    memory.layers += m(y.receivers, own) + m(y.receivers, y.numbers) + m(y.receivers, 1) +
                     m(y.receivers, y.categories) + 2 * m(y.receivers, own_learned) +
                     m(y.senders, own_learned);
    memory.encoded += 8 * y.categories * y.categories + 4 * y.senders * y.categories;
  }
  const std::int64_t rows = std::max(x.senders, y.senders);
  if (kind == Kind::kCpu) {  // gradients of the weights, by stretches of rows
    memory.scratch += std::min<std::int64_t>(63, rows / 512) * m(weights, own);
  } else {  // shared by all layers; libraries and partial sums take 40 MiB
    memory.scratch = std::max(memory.scratch, 3 * m(rows, width) + 40 * kMiB);
  }
  if (ranks == 1) return;
  // Inputs, then their gradients: of the dense layer x and h, of the message what is mapped.
  const Bytes h = m(x.senders, width);
  const Bytes ids = m(x.senders, x.learned);
  const Bytes mapped = m(linear_first ? y.senders : y.receivers, y.learned);
  if (x.learned > 0) {
    memory.take_whole_tables({ids, h, ids, h});
  } else {
    memory.take_whole_tables({h, h});
  }
  memory.take_whole_tables({mapped, mapped});
}

}  // namespace

ModelMemory model_memory(Kind kind, const Dataset& data, const ModelOptions& options, int ranks) {
  ModelMemory memory;
  const EncodedDataset features = features_for(data, options);
  std::array<MessageSizes, 2> inputs;
  Bytes table_copies = 0;
  for (const std::size_t side : {0, 1}) {
    MessageSizes& x = inputs[side];
    const auto& encoded = side == 0 ? features.users : features.items;
    x.senders = side == 0 ? data.train.num_users() : data.train.num_items();
    x.edges = data.train.size();
    if (encoded) {
      x.numbers = std::ssize(encoded->number_names);
      x.categories = encoded->categories.num_items();
      x.ones = encoded->categories.size();
      memory.layers +=
          matrix_bytes(kind, x.senders, x.numbers) + graph_bytes(kind, encoded->categories);
      memory.encoded += 4 * std::ssize(encoded->numbers) + bytes_of(encoded->categories);
    }
    if (encoded && options.inputs != InputKind::kBoth) continue;
    x.learned = options.width;
    memory.values += x.senders * x.learned;
    const std::int64_t own = distributed::most_columns(x.learned, ranks);
    memory.parameters += matrix_bytes(kind, x.senders, own);
    table_copies += copy_bytes(kind, x.senders, own);
  }
  if (options.kind == ModelKind::kLightGcn && options.layers > 0) {
    // Two tables in turn; with a contrast the final embeddings, the view's gradient, and a spare table.
    const ContrastOptions& contrast = options.contrast;
    const bool contrasts = contrast.kind != ContrastKind::kNone;
    const int more = contrasts ? 2 + (options.layers - contrast.layer > 1 ? 1 : 0) : 0;
    memory.layers = (2 + more) * memory.parameters;
    int copied = std::min(options.layers, 3);
    if (contrasts && options.layers - contrast.layer > 2) ++copied;
    if (contrasts && contrast.layer > 2) ++copied;
    memory.copies = copied * table_copies;
  }
  if (options.propagation.kind == PropagationKind::kLightGcnPlusPlus) {
    // The final embeddings, unit rows, sums, and layers 1 to L-1; two scales a node.
    memory.layers = (2 + options.layers) * memory.parameters;
    memory.copies = std::min(options.layers, 2) * table_copies;
    for (const MessageSizes& x : inputs) memory.layers += 2 * matrix_bytes(kind, 1, x.senders);
  }
  if (options.kind != ModelKind::kGcMc) return memory;
  std::vector<int> widths = options.hidden;
  widths.push_back(options.width);
  for (const int width : widths) {
    add_half(memory, kind, inputs[0], inputs[1], width, ranks);
    add_half(memory, kind, inputs[1], inputs[0], width, ranks);
    for (MessageSizes& x : inputs) x = {.senders = x.senders, .edges = x.edges, .learned = width};
  }
  return memory;
}

std::int64_t widest_message(const ModelOptions& model) {
  if (model.kind == ModelKind::kMatrixFactorization) return 0;
  if (model.kind != ModelKind::kGcMc) return model.layers > 0 ? model.width : 0;
  std::int64_t widest = model.width;
  for (const int hidden : model.hidden) widest = std::max<std::int64_t>(widest, hidden);
  return widest;
}

Bytes gathered_bytes(Kind kind, const Interactions& train, const Config& config,
                     const ModelMemory& model, int ranks) {
  if (ranks == 1) return 0;
  const std::int64_t width = config.model.width;
  const std::int64_t rows = std::max(train.num_users(), train.num_items());
  Bytes bytes = matrix_bytes(kind, train.num_users(), width) +
                matrix_bytes(kind, train.num_items(), width) +
                4 * rows * distributed::most_columns(width, ranks) +
                4 * std::min(rows * width, std::int64_t{1} << 21);
  for (const Bytes table : model.whole_tables) bytes += table;
  if (config.model.kind == ModelKind::kGcMc) {
    bytes += 8 * std::min(rows * widest_message(config.model), std::int64_t{1} << 20);
  }
  // Sums over rows in f64, and the other ranks' parts of them: two for each row on the way back.
  if (config.model.propagation.kind == PropagationKind::kLightGcnPlusPlus) return bytes + 32 * rows;
  return config.loss.kind == LossKind::kSoftmaxAtK ? bytes + 16 * rows : bytes;
}

}  // namespace tern::memory
