// The memory formula: each line follows the code that allocates, in host/model, host/train and the
// backends. Small blocks are left out.

#include "tern/memory.hpp"

#include <algorithm>
#include <vector>

#include "host/distributed/columns.hpp"
#include "host/loss/softmax_at_k_loss.hpp"
#include "host/support/processors.hpp"
#include "host/train/fitted_model.hpp"
#include "host/train/memory_parts.hpp"
#include "host/train/sampling.hpp"
#include "tern/model.hpp"

namespace tern {
namespace {

using memory::Bytes;
using memory::bytes_of;
using memory::gathered_bytes;
using memory::graph_bytes;
using memory::Kind;
using memory::kMiB;
using memory::loss_bytes;
using memory::matrix_bytes;
using memory::model_memory;
using memory::ModelMemory;
using memory::round_up;
using memory::segments_of;
using memory::triplets_of_batch;
using memory::triplets_of_epoch;
using memory::widest_message;

/// The names with their ends, and a hash table of 8 bytes a slot, at most half full.
Bytes bytes_of(const Vocabulary& names) {
  if (names.is_numbered()) return 0;
  Bytes slots = 1;
  while (slots < 2 * Bytes{names.size()}) slots *= 2;
  Bytes bytes = 8 * (names.size() + slots);
  for (NodeId id = 0; id < names.size(); ++id) bytes += static_cast<Bytes>(names.name(id).size());
  return bytes;
}

Bytes bytes_of(const std::optional<Features>& features) {
  return features ? static_cast<Bytes>(features->values.size() * sizeof(float)) : 0;
}

/// Training loads features only if the model reads them.
Bytes data_bytes(const Dataset& data, const ModelOptions& model) {
  const Bytes bytes = bytes_of(data.train) + bytes_of(data.valid) + bytes_of(data.test) +
                      bytes_of(data.users) + bytes_of(data.items);
  if (!reads_features(model)) return bytes;
  return bytes + bytes_of(data.user_features) + bytes_of(data.item_features);
}

/// The tables of drawing, a batch with its rows, and the triplets that a backend keeps beyond it.
Bytes triplet_bytes(const MemoryTarget& target, const Interactions& train, const Config& config) {
  const std::int64_t drawn = triplets_of_epoch(train, config);
  const std::int64_t batch = triplets_of_batch(train, config);
  // Participants and marks; losses of an epoch; of a batch triplets, rows, and the room to sort.
  const Bytes bytes = 13 * Bytes{train.num_users()} + 9 * Bytes{train.num_items()} +
                      64 * (drawn / batch + 1) + 200 * batch;
  if (target.kind == Kind::kReference) return bytes + 40 * drawn;  // an epoch and its permutation
  // Several ranks give equal bits in any case, and plan for it.
  const bool plans = config.reproducibility != Reproducibility::kNone || target.ranks > 1;
  if (target.kind == Kind::kCpu || !plans) return bytes;
  // Triplets are planned in windows of whole batches: 96 bytes a triplet of a sixteenth of the
  // device, and 24 that sorting may take. Four bytes say which row of the batch a node is.
  const std::int64_t most = target.device_bytes > 0 ? target.device_bytes / 16 / 96 : drawn;
  return bytes + 4 * (Bytes{train.num_users()} + train.num_items()) +
         120 * std::clamp(most, batch, drawn + batch) + 2 * kMiB;
}

/// Unit rows that are copied at one time: an evaluation by cosine ranks those of items, sl@k measures
/// its thresholds with those of all nodes. The first are made on the host.
struct UnitCopies {
  std::int64_t on_host = 0;
  std::int64_t on_device = 0;
};

UnitCopies unit_copies(const Interactions& train, const Config& config) {
  const std::int64_t users = train.num_users(), items = train.num_items();
  const bool by_cosine = config.evaluation.score == ScoreKind::kCosine;
  const std::int64_t ranked = by_cosine ? items : 0;
  return {ranked, config.loss.kind == LossKind::kSoftmaxAtK ? users + items : ranked};
}

/// The ranking of a block of users by an evaluation or by sl@k, and the statistics of an embedding table.
Bytes evaluation_bytes(Kind kind, const Interactions& train, const Config& config, int threads) {
  constexpr std::int64_t kUsers = 4096;  // ranked at a time (evaluation.cpp)
  const std::vector<int>& ks = config.evaluation.ks;
  std::int64_t k = ks.empty() ? 1 : *std::ranges::max_element(ks);
  std::int64_t listed = k * std::min<std::int64_t>(kUsers, train.num_users());
  // The lists of a second block, which is ranked while the first is measured.
  const Bytes second = 8 * k * std::clamp<std::int64_t>(train.num_users() - kUsers, 0, kUsers);
  if (config.loss.kind == LossKind::kSoftmaxAtK && train.num_items() > 0) {
    const std::int64_t measured = std::min<std::int64_t>(config.loss.at_k.k, train.num_items());
    listed = std::max(listed, measured * std::min(users_at_once(measured), train.num_users()));
    k = std::max(k, measured);
  }
  const std::int64_t width = config.model.width;
  const Bytes lists = 16 * listed + second;
  if (kind == Kind::kCuda) {
    // A block of scores fills half of the cache (H200: 60 MB). Beyond k = 1024 its rows are sorted.
    const Bytes scores =
        std::min(30 * kMiB, 4 * kUsers * train.num_items()) + 4 * Bytes{train.num_items()};
    const Bytes statistics = std::max(8 * kMiB, 8 * width * width) + Bytes{24} * 1024 * width;
    return 32 * kMiB + lists + (k > 1024 ? 9 : 1) * scores + statistics;
  }
  // Two blocks of 64 queries, 126 rows of their scores, thresholds, and their best items.
  const Bytes scores = 512 * round_up(width, 16) + Bytes{256} * 127 + 1024 * k;
  const Bytes statistics = 8 * (width + 3) * width;
  return lists + 16 * Bytes{train.num_items()} + threads * (scores + 4096 * width) +
         (16 + threads) * statistics;
}

/// The keys that the size of the layers follows, among those that the model reads.
const char* layer_keys(const ModelOptions& model) {
  if (model.kind == ModelKind::kGcMc && !model.hidden.empty()) return "model.width, model.hidden";
  const bool keeps_layers = model.propagation.kind == PropagationKind::kLightGcnPlusPlus;
  return keeps_layers ? "model.width, model.layers" : "model.width";
}

/// Resident memory of `tern train` on a data set of a few lines, with 1 to 8 threads.
MemoryPart process_part(int threads) {
  return {"process", (24 + threads) * kMiB, 0, "train.threads"};
}

/// The estimate for a model without training, which is fitted on the host, whatever the device.
MemoryEstimate estimate_fit(const Dataset& data, const Config& config, int threads) {
  MemoryEstimate estimate;
  estimate.parts.push_back({"data", data_bytes(data, config.model), 0, "data.k_core"});
  const FitMemory fit = fit_memory(data, config);
  estimate.parts.push_back({"fit", fit.bytes, 0, std::string(fit.keys)});
  estimate.parts.push_back(process_part(threads));
  return estimate;
}

}  // namespace

MemoryEstimate estimate_memory(const MemoryTarget& target, const Dataset& data,
                               const Config& config) {
  const Kind kind = target.kind;
  const bool gpu = kind == Kind::kCuda;
  const int threads = config.threads > 0 ? config.threads : default_thread_count().threads;
  if (is_fitted(config.model.kind)) return estimate_fit(data, config, threads);
  const ModelMemory model = model_memory(kind, data, config.model, target.ranks);
  const OptimizerOptions& optimizer = config.optimizer;
  const int moments = optimizer.kind == OptimizerKind::kAdam ? 2 : optimizer.sgd.momentum != 0.0;
  // The numbers of the steps that have updated each row.
  const bool by_rows = config.model.kind == ModelKind::kMatrixFactorization;
  const Bytes row_steps = by_rows && optimizer.kind == OptimizerKind::kAdam
                              ? 8 * (Bytes{data.train.num_users()} + data.train.num_items())
                              : 0;
  const Bytes element = kind == Kind::kReference ? 8 : 4;
  const Bytes copy = element * model.values;
  const UnitCopies copies = unit_copies(data.train, config);
  const bool on_test = config.select_on == SelectionSplit::kTest && data.valid.size() > 0;

  MemoryEstimate estimate;
  const auto add = [&](const char* name, Bytes bytes, const char* keys) {
    estimate.parts.push_back({name, gpu ? 0 : bytes, gpu ? bytes : 0, keys});
  };
  estimate.parts.push_back({"data", data_bytes(data, config.model), 0, "data.k_core"});
  add("graph", graph_bytes(kind, data.train) + (on_test ? graph_bytes(kind, data.valid) : 0),
      "data.k_core");
  const char* batch_keys = contrasts_samples(config.loss)
                               ? "train.batch_size, sampling.negatives_per_positive"
                               : "train.batch_size";
  add("triplets", triplet_bytes(target, data.train, config), batch_keys);
  add("parameters", model.parameters, "model.width");
  add("gradients", model.parameters, "model.width");
  add("optimizer", moments * model.parameters + row_steps, "model.width, optimizer.kind");
  add("loss", loss_bytes(target, data.train, config, threads),
      contrasts_samples(config.loss)
          ? "train.batch_size, sampling.negatives_per_positive, model.width"
          : "train.batch_size, model.width");
  add("layers", model.layers, layer_keys(config.model));
  if (target.ranks > 1) {
    add("gathers", gathered_bytes(kind, data.train, config, model, target.ranks), "model.width");
  }
  if (config.model.gather == GatherPrecision::kBf16 && model.copies > 0) {
    add("copies", model.copies, "model.width, train.precision");
  }
  const Bytes partial_sums =
      gpu ? matrix_bytes(kind, segments_of(data.train), widest_message(config.model)) : 0;
  add("scratch",
      model.scratch + partial_sums + evaluation_bytes(kind, data.train, config, threads) +
          matrix_bytes(kind, copies.on_device,
                       distributed::most_columns(config.model.width, target.ranks)),
      "model.width, train.threads");
  const auto add_host = [&](const char* name, Bytes bytes, const char* keys) {
    estimate.parts.push_back({name, bytes, 0, keys});
  };
  // A checkpoint copies parameters and moments to the host. Encoded features, the sorting of a CPU's
  // graph and unit rows take room there at other times.
  add_host("best", copy, "model.width");
  add_host("checkpoint",
           std::max({(1 + moments) * copy, model.encoded, gpu ? 0 : 4 * data.train.size(),
                     element * copies.on_host * config.model.width}),
           "model.width");
  // The C library keeps some of the freed blocks. Without this part the formula was 0.7 to 1.8% above
  // the measured peak (200k users, 100k items, 3M interactions); it is a margin for other machines.
  add_host("allocator", (estimate.host() - estimate.parts.front().host) / 20, "");
  estimate.parts.push_back(process_part(threads));
  return estimate;
}

}  // namespace tern
