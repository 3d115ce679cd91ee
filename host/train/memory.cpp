#include "tern/memory.hpp"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string_view>

#include "host/loss/bpr_loss.hpp"
#include "host/train/measuring_backend.hpp"
#include "host/train/optimizer.hpp"
#include "tern/error.hpp"
#include "tern/model.hpp"

namespace tern {
namespace {

constexpr char kData[] = "data";
constexpr char kProcess[] = "process";
/// The program and its libraries as they are loaded, and what OpenMP and OpenBLAS touch for every
/// thread: VmRSS of `tern train` on a data set of a few lines, with 1 to 8 threads.
constexpr std::int64_t kProgramBytes = std::int64_t{24} << 20;
constexpr std::int64_t kThreadBytes = std::int64_t{1} << 20;
/// Users that are ranked at a time (evaluation.cpp).
constexpr std::int64_t kRankedUsers = 4096;

std::int64_t bytes_of(const Interactions& interactions) {
  return static_cast<std::int64_t>(interactions.offsets().size_bytes() +
                                   interactions.items().size_bytes());
}

/// Names, their ends, and a hash table of 8 bytes a place, at most half full.
std::int64_t bytes_of(const Vocabulary& names) {
  if (names.is_numbered()) return 0;
  std::int64_t places = 1;
  while (places < 2 * std::int64_t{names.size()}) places *= 2;
  std::int64_t bytes = 8 * (names.size() + places);
  for (NodeId id = 0; id < names.size(); ++id) {
    bytes += static_cast<std::int64_t>(names.name(id).size());
  }
  return bytes;
}

std::int64_t bytes_of(const std::optional<Features>& features) {
  if (!features) return 0;
  return static_cast<std::int64_t>(features->values.size() * sizeof(float));
}

std::int64_t bytes_of(const std::optional<EncodedFeatures>& features) {
  if (!features) return 0;
  return static_cast<std::int64_t>(features->numbers.size() * sizeof(float)) +
         bytes_of(features->categories);
}

std::int64_t bytes_of(const Dataset& data) {
  return bytes_of(data.train) + bytes_of(data.valid) + bytes_of(data.test) + bytes_of(data.users) +
         bytes_of(data.items) + bytes_of(data.user_features) + bytes_of(data.item_features);
}

std::unique_ptr<MemoryModel> make_model_of(const MemoryTarget& target, const Config& config) {
  switch (target.kind) {
    case MemoryTarget::Kind::kReference:
      return make_reference_memory_model();
    case MemoryTarget::Kind::kCpu:
      return make_cpu_memory_model(target.threads);
    case MemoryTarget::Kind::kCuda:
      return make_cuda_memory_model(target, config.reproducibility);
  }
  throw ConfigError("memory is asked for of no backend");
}

bool ranks_beyond_validation(const Dataset& data, const Config& config) {
  return config.select_on == SelectionSplit::kTest && data.test.size() > 0 && data.valid.size() > 0;
}

/// A training job over the measuring backend, in the order of Trainer.
struct Sketch {
  Sketch(Backend& backend, const Dataset& data, const Config& config,
         const EncodedDataset& features)
      : graph(backend.make_graph(data.train)),
        valid(ranks_beyond_validation(data, config) ? backend.make_graph(data.valid) : Graph()),
        triplets(backend.make_triplets(graph, config.sampling, config.batch_size)),
        model(make_model(backend, graph, triplets, config.model, features.view())),
        loss(backend, config.l2),
        optimizer(backend, model->parameters(), config.optimizer),
        losses(backend.allocate(Loss::kTerms, triplets.num_batches())) {}

  /// One step and one look at the results, so that every op has asked for its room.
  void run(Backend& backend, const Config& config, std::int64_t ranked) {
    model->forward();
    loss.backward(*model, triplets, losses);
    optimizer.step();
    model->embed();
    const Matrix& users = model->embeddings(Side::kUser);
    const Matrix& items = model->embeddings(Side::kItem);
    backend.embedding_statistics(users);
    backend.embedding_statistics(items);
    const std::vector<NodeId> queries(static_cast<std::size_t>(ranked));
    const std::vector<int>& ks = config.evaluation.ks;
    TopItems top;
    backend.score_topk(users, items, queries, {}, ks.empty() ? 1 : *std::ranges::max_element(ks),
                       top);
  }

  Graph graph;
  Graph valid;  // left out when the test split is ranked
  Triplets triplets;
  std::unique_ptr<Model> model;
  BprLoss loss;
  Optimizer optimizer;
  Matrix losses;
};

/// What a host keeps of a job whatever its device, and for a moment.
struct HostCopies {
  std::int64_t parameters = 0;  // parameters and buffers, dense
  std::int64_t largest = 0;     // of them

  HostCopies(Model& model, std::int64_t element) {
    const auto add = [&](const Matrix& matrix) {
      parameters += matrix.size() * element;
      largest = std::max(largest, matrix.size() * element);
    };
    for (const Parameter& parameter : model.parameters()) add(*parameter.value);
    for (const NamedBuffer& buffer : model.buffers()) add(*buffer.value);
  }
};

std::string readable(std::int64_t bytes) {
  constexpr double kKilo = 1e3;
  auto value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* next : {"kB", "MB", "GB", "TB"}) {
    if (value < kKilo) break;
    value /= kKilo;
    unit = next;
  }
  return value < 10.0 ? fmt::format("{:.1f} {}", value, unit)
                      : fmt::format("{:.0f} {}", value, unit);
}

/// What takes most, and with what it grows.
std::string largest_of(const MemoryEstimate& estimate, std::int64_t MemoryPart::*where) {
  std::vector<MemoryPart> parts = estimate.parts;
  std::ranges::stable_sort(
      parts, [&](const MemoryPart& a, const MemoryPart& b) { return a.*where > b.*where; });
  std::string text;
  constexpr std::size_t kNamed = 3;
  for (std::size_t i = 0; i < std::min(kNamed, parts.size()); ++i) {
    if (parts[i].*where == 0) break;
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", parts[i].name, readable(parts[i].*where));
  }
  return text;
}

std::string advice(const Config& config) {
  std::string text = fmt::format("model.width ({}) or train.batch_size ({})", config.model.width,
                                 config.batch_size);
  if (config.optimizer.kind == OptimizerKind::kAdam) {
    text += ", or optimizer.kind = sgd, which keeps no moments";
  }
  return text;
}

}  // namespace

MemoryTarget memory_target(const Backend& backend, int threads) {
  MemoryTarget target;
  const std::string name = backend.name();
  target.threads = threads > 0 ? threads : omp_get_max_threads();
  if (name == "reference") target.kind = MemoryTarget::Kind::kReference;
  if (name.starts_with("cuda")) {
    target.kind = MemoryTarget::Kind::kCuda;
    target.device_bytes = backend.memory().total;
  }
  return target;
}

std::int64_t MemoryEstimate::host() const {
  std::int64_t sum = 0;
  for (const MemoryPart& part : parts) sum += part.host;
  return sum;
}

std::int64_t MemoryEstimate::device() const {
  std::int64_t sum = 0;
  for (const MemoryPart& part : parts) sum += part.device;
  return sum;
}

std::int64_t MemoryEstimate::host_to_come() const {
  std::int64_t sum = 0;
  for (const MemoryPart& part : parts) {
    if (part.name != kData && part.name != kProcess) sum += part.host;
  }
  return sum;
}

MemoryEstimate estimate_memory(const MemoryTarget& target, const Dataset& data,
                               const Config& config) {
  const bool on_device = target.kind == MemoryTarget::Kind::kCuda;
  MemoryEstimate estimate;
  estimate.parts.push_back({kData, bytes_of(data)});
  const EncodedDataset features = features_for(data, config.model);
  const std::int64_t encoded = bytes_of(features.users) + bytes_of(features.items);

  MeasuringBackend backend(make_model_of(target, config));
  Sketch sketch(backend, data, config, features);
  const Interactions& held_out = config.select_on == SelectionSplit::kTest ? data.test : data.valid;
  sketch.run(backend, config, std::min<std::int64_t>(kRankedUsers, held_out.num_users()));
  const Ledger& ledger = backend.ledger();
  for (const auto& [name, bytes] : ledger.parts) {
    if (bytes == 0) continue;
    on_device ? estimate.parts.push_back({name, 0, bytes})
              : estimate.parts.push_back({name, bytes, 0});
  }
  // What is only there for a moment, at the worst one.
  const std::int64_t passing = ledger.peak - ledger.live;
  if (passing > 0) {
    estimate.parts.push_back({"passing", on_device ? 0 : passing, on_device ? passing : 0});
  }

  // The best parameters stay; while a checkpoint is written, parameters and optimiser state are
  // copied beside them. That is later than the drawing of the first parameters and than encoding.
  const bool twofold = target.kind == MemoryTarget::Kind::kReference;
  const HostCopies copies(*sketch.model, twofold ? sizeof(double) : sizeof(float));
  const bool adam = config.optimizer.kind == OptimizerKind::kAdam;
  const std::int64_t states = adam ? 2 : config.optimizer.sgd.momentum != 0.0 ? 1 : 0;
  estimate.parts.push_back({"best parameters", copies.parameters});
  estimate.parts.push_back(
      {"checkpoint", std::max((1 + states) * copies.parameters, encoded + copies.largest)});
  estimate.parts.push_back({kProcess, kProgramBytes + kThreadBytes * target.threads});
  return estimate;
}

std::string memory_line(const MemoryEstimate& estimate, const Backend& backend) {
  const MemoryInfo host = host_memory();
  std::string text =
      fmt::format("Memory: about {} on the host ({} to come, {} free)", readable(estimate.host()),
                  readable(estimate.host_to_come()), readable(host.free));
  if (estimate.device() == 0) return text;
  return text + fmt::format(", {} on {} ({} free)", readable(estimate.device()), backend.name(),
                            readable(backend.memory().free));
}

std::string memory_shortage(const MemoryEstimate& estimate, const Backend& backend,
                            const Config& config) {
  const auto sentence = [&](std::string_view where, std::int64_t need, std::int64_t free,
                            std::int64_t MemoryPart::*part) {
    return fmt::format(
        "training needs about {} on {}, where {} is free (most of it: {}): a smaller {} needs "
        "less",
        readable(need), where, readable(free), largest_of(estimate, part), advice(config));
  };
  if (estimate.device() > 0) {
    const std::int64_t free = backend.memory().free;
    if (estimate.device() > free) {
      return sentence(backend.name(), estimate.device(), free, &MemoryPart::device);
    }
  }
  const std::int64_t free = host_memory().free;
  if (estimate.host_to_come() > free) {
    return sentence("the host", estimate.host_to_come(), free, &MemoryPart::host);
  }
  return "";
}

void expect_memory(const MemoryEstimate& estimate, const Backend& backend, const Config& config) {
  const std::string shortage = memory_shortage(estimate, backend, config);
  if (!shortage.empty()) throw Error("not enough memory: " + shortage);
}

}  // namespace tern
