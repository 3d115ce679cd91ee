// The memory formula of matrices, batches and losses: each line follows the code that allocates, in the
// backends.

#include <algorithm>

#include "host/config/batch.hpp"
#include "host/distributed/columns.hpp"
#include "host/train/memory_parts.hpp"
#include "host/train/sampling.hpp"

namespace tern::memory {

Bytes matrix_bytes(Kind kind, std::int64_t rows, std::int64_t cols) {
  if (kind == Kind::kReference) return 8 * rows * cols;
  const bool cpu = kind == Kind::kCpu;
  const Bytes bytes = 4 * rows * round_up(cols, cpu ? 16 : 4);
  return cpu ? block_bytes(bytes) : bytes;
}

std::int64_t triplets_of_epoch(const Interactions& train, const Config& config) {
  return std::max<std::int64_t>(1, train.size() * sampling_of(config).triplets_per_positive());
}

std::int64_t triplets_of_batch(const Interactions& train, const Config& config) {
  return std::clamp<std::int64_t>(batch_triplets(config), 1, triplets_of_epoch(train, config));
}

namespace {

/// sampled_contrast: on a CPU the unit rows of a batch's distinct users and items, the weights of its
/// negatives, and what finds them; the gradients of the pairs' unit users.
/// A rank has its columns of the rows, and completed sums over all columns.
Bytes sampled_bytes(const MemoryTarget& target, const Interactions& train, const Config& config) {
  const Kind kind = target.kind;
  const std::int64_t each = config.sampling.triplets_per_positive();
  const std::int64_t pairs =
      std::clamp<std::int64_t>(config.batch_size, 1, std::max<std::int64_t>(1, train.size()));
  const auto rows = [&](std::int64_t count) {
    return matrix_bytes(kind, count, distributed::most_columns(config.model.width, target.ranks));
  };
  const std::int64_t nodes = std::int64_t{train.num_users()} + train.num_items();
  if (kind == Kind::kReference) return 2 * (2 * rows(pairs) + rows(pairs * each));
  if (kind == Kind::kCuda) return rows(pairs) + 4 * (nodes + 2 * pairs * each);
  const std::int64_t users = std::min<std::int64_t>(pairs, train.num_users());
  const std::int64_t items = std::min<std::int64_t>(pairs * (each + 1), train.num_items());
  // Squares and scores in f64, and what comes of their sums: as many as the scores.
  const Bytes sums = target.ranks > 1 ? 8 * (users + items) + 16 * pairs * (1 + each) : 0;
  return rows(users) + rows(items) + rows(pairs) + matrix_bytes(kind, pairs, each) +
         8 * (users + items) + 4 * pairs * (each + 3) + sums;
}

/// Whether the loss is one of the unit rows of a batch's pairs.
bool reads_pairs(const LossOptions& loss) {
  return loss.kind == LossKind::kDirectAu || contrasts_pairs(loss);
}

/// Columns of as many pairs: with loss.negatives = mixed those of their negatives too.
std::int64_t columns_of(const Config& config, std::int64_t pairs) {
  if (!mixes_negatives(config.loss)) return pairs;
  return pairs * (1 + config.sampling.triplets_per_positive());
}

/// Parts of the gradients of unit rows against columns on a GPU.
std::int64_t device_parts(std::int64_t rows, std::int64_t columns) {
  const std::int64_t tiles = (columns + 63) / 64;
  const std::int64_t most = std::clamp<std::int64_t>(512 / ((rows + 63) / 64), 1, tiles);
  const std::int64_t of_part = (tiles + most - 1) / most;
  return (tiles + of_part - 1) / of_part;
}

/// Unit rows of two tables on a GPU, `size` and `columns`: these and `more` of the first one's gradients
/// whole, and those of one table after the other in parts, which are added in order.
Bytes device_rows_bytes(std::int64_t size, std::int64_t columns, int width, int more) {
  const std::int64_t parts = device_parts(size, columns);
  const std::int64_t in_parts = std::max(parts * size, device_parts(columns, size) * columns);
  return matrix_bytes(Kind::kCuda, (1 + more) * size + columns + in_parts, width) +
         (20 + 8 * parts) * size + 12 * columns;
}

/// The mask of a batch's observed pairs on a GPU, a bit a pair. Larger ones are not stored.
Bytes device_mask_bytes(const LossOptions& loss, std::int64_t rows, std::int64_t columns) {
  if (loss.kind == LossKind::kDirectAu || loss.softmax.mask != SoftmaxMask::kObserved) return 0;
  const Bytes bytes = 8 * round_up(rows, 64) * (round_up(columns, 64) / 64);
  return bytes <= 128 * kMiB ? bytes : 0;
}

/// On a GPU the losses over pairs and info_nce share a workspace, for as many rows as a batch has
/// triplets. info_nce takes a node once, and lists which nodes it takes.
Bytes device_pair_bytes(const Interactions& train, const Config& config) {
  const std::int64_t batch = triplets_of_batch(train, config);
  const int width = config.model.width;
  Bytes bytes = 0;
  if (reads_pairs(config.loss)) {
    const std::int64_t each =
        contrasts_samples(config.loss) ? config.sampling.triplets_per_positive() : 1;
    const std::int64_t pairs = std::max<std::int64_t>(1, batch / each);  // empty data: batch is 1
    const std::int64_t columns = columns_of(config, pairs);
    bytes =
        device_rows_bytes(pairs, columns, width, config.loss.kind == LossKind::kDirectAu ? 2 : 1) +
        device_mask_bytes(config.loss, pairs, columns);
  }
  if (config.model.contrast.kind == ContrastKind::kNone) return bytes;
  for (const std::int64_t nodes : {train.num_users(), train.num_items()}) {
    const std::int64_t size = std::min(batch, nodes);
    if (size == 0) continue;
    bytes = std::max(bytes, device_rows_bytes(size, size, width, 1) +
                                4 * (4 + size + std::min(2 * batch, nodes)));
  }
  return bytes;
}

/// in_batch_softmax and info_nce: the unit rows of a batch, their gradients (of one side in parts, which
/// are added in order), and on a CPU a packed copy of one side and the strips of logits that threads
/// hold. alignment_uniformity: the same without those parts. A rank has whole unit rows, and gradients in its
/// own columns; besides, the distinct rows whole and as it sends them, and its own columns of unit rows.
Bytes pair_bytes(const MemoryTarget& target, const Interactions& train, const Config& config,
                 int threads) {
  const Kind kind = target.kind;
  if (kind == Kind::kCuda) return device_pair_bytes(train, config);
  std::int64_t batch =
      std::clamp<std::int64_t>(config.batch_size, 1, std::max<std::int64_t>(1, train.size()));
  if (!reads_pairs(config.loss)) {  // info_nce takes each node once
    batch = std::min<std::int64_t>(batch, std::max(train.num_users(), train.num_items()));
  }
  const std::int64_t columns = columns_of(config, batch);
  const auto rows = [&](std::int64_t count) {
    return matrix_bytes(kind, count, config.model.width);
  };
  const std::int64_t own = distributed::most_columns(config.model.width, target.ranks);
  const auto own_rows = [&](std::int64_t count) { return matrix_bytes(kind, count, own); };
  if (kind == Kind::kReference) {
    return 2 * (rows(batch) + rows(columns)) + Bytes{8} * train.num_items();
  }
  const bool sums_both =
      config.loss.kind != LossKind::kDirectAu || config.model.contrast.kind != ContrastKind::kNone;
  const std::int64_t groups = !sums_both ? 0 : std::clamp<std::int64_t>((batch + 255) / 256, 1, 16);
  const std::int64_t strip = std::int64_t{columns > 8192 ? 30 : 60} * threads;
  const Bytes bytes = rows(batch) + 2 * (own_rows(batch) + rows(columns)) +
                      own_rows(groups * columns) + matrix_bytes(kind, strip, columns + 16) +
                      24 * batch + 12 * columns;
  if (target.ranks == 1) return bytes;
  std::int64_t gathered = 0;
  if (reads_pairs(config.loss)) {
    gathered = std::min<std::int64_t>(batch, train.num_users()) +
               std::min<std::int64_t>(columns, train.num_items());
  }
  if (config.model.contrast.kind != ContrastKind::kNone) {  // two views of one side
    gathered = std::max(gathered, 2 * std::min<std::int64_t>(
                                          batch, std::max(train.num_users(), train.num_items())));
  }
  return bytes + rows(gathered) + (4 * own + 8) * gathered + own_rows(batch) + own_rows(columns);
}

}  // namespace

Bytes loss_bytes(const MemoryTarget& target, const Interactions& train, const Config& config,
                 int threads) {
  Bytes bytes = 0;
  if (contrasts_samples(config.loss) && !reads_pairs(config.loss)) {
    bytes += sampled_bytes(target, train, config);
  }
  const bool contrasts = config.model.contrast.kind != ContrastKind::kNone;
  if (contrasts || reads_pairs(config.loss)) bytes += pair_bytes(target, train, config, threads);
  if (config.loss.kind == LossKind::kSoftmaxAtK)
    bytes += matrix_bytes(target.kind, 1, train.num_users());
  return bytes;
}

}  // namespace tern::memory
