#include "bench/support/estimate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/ops/expected.hpp"

namespace tern::bench {
namespace {

// Measured on 2 cores of an EPYC 9005, rounded up.
constexpr double kSecondsPerValue = 60e-9;           // a normal number of a table, on one thread
constexpr double kSecondsPerReferenceFlop = 1.5e-9;  // the plain f64 loops
constexpr double kFlopsPerThread = 30e9;             // of the CPU backend's products
constexpr double kBytesPerSecond = 8e9;              // of its streams and gathers, on all threads
constexpr double kEviction = 0.02;                   // seconds of overwriting the caches once
constexpr int kCeilingRuns = 15 * 6 * 3 * 2;         // as measure() and measure_memory() make them

/// Elements of the tables, flops of one run, and bytes that do not grow with the width.
struct Size {
  double elements = 0.0;  // of the op's own tables, and as many of the reference's
  double flops = 0.0;
  double bytes = 0.0;
};

/// The triplets of an epoch, and where in it each node occurs.
double triplet_bytes(const Sizes& s) {
  return 32.0 * static_cast<double>(s.interactions) + 16.0 * static_cast<double>(s.users + s.items);
}

Size size_of(const Case& one, const Sizes& s) {
  const auto d = static_cast<double>(s.width);
  const double users = static_cast<double>(s.users) * d;
  const double items = static_cast<double>(s.items) * d;
  const double both = users + items;
  const auto batch = static_cast<double>(std::min(s.batch, s.interactions));
  const double edges = 2.0 * static_cast<double>(s.interactions) * d;
  const double triplets = triplet_bytes(s);
  const std::string& op = one.op;
  const auto names = [&](const char* part) { return one.variant.find(part) != std::string::npos; };
  if (op == "propagate")
    return {both + std::max(users, items), edges, names("batch") ? triplets : 0.0};
  if (op == "linear_relu_batchnorm") {
    const double rows = names("users") ? users : items;
    const double passes = names("backward") ? 3.0 : 1.0;  // the backward pass follows a forward one
    // Inputs, gradients, sums and their gradients; on the host the values that all of them start from.
    return {9.0 * rows + 4.0 * d * d, passes * 4.0 * rows * d, 4.0 * (3.0 * rows + 2.0 * d * d)};
  }
  if (op == "dropout") return {2.0 * users, users, 0.0};
  if (op == "perturb") return {4.0 * users, 6.0 * users, 0.0};
  if (op == "normalize_rows") return {5.0 * users, 10.0 * users, 0.0};
  if (op == "sample") {
    return {0.0, 60.0 * static_cast<double>(s.interactions), 0.5 * triplets};
  }
  if (op == "bpr") return {2.0 * both, 10.0 * batch * d, triplets};
  if (op == "in_batch_softmax") return {2.0 * both, 6.0 * batch * batch * d, triplets};
  if (op == "alignment_uniformity") return {2.0 * both, 8.0 * batch * batch * d, triplets};
  if (op == "l2_penalty") return {2.0 * both, 8.0 * batch * d, triplets};
  if (op == "info_nce") {
    return {4.0 * (names("users") ? users : items), 6.0 * batch * batch * d, triplets};
  }
  if (op == "sampled_contrast") {
    const double cosines = batch * (1.0 + one.axes.negatives);
    return {2.0 * both, 6.0 * cosines * d, 64.0 * cosines};
  }
  if (op == "adam") return {6.0 * items, 14.0 * items, names("batch") ? triplets : 0.0};
  if (op == "sgd") return {4.0 * items, 6.0 * items, 0.0};
  if (op == "score_topk") {
    const auto queries = static_cast<double>(std::min<std::int64_t>(kQueries, s.users));
    const double scores = one.strategy == "tern" ? 0.0 : queries * static_cast<double>(s.items);
    return {both, 2.0 * queries * items, 4.0 * scores};
  }
  if (op == "embedding_statistics") return {items + d * d, 2.0 * items * d, 0.0};
  if (op == "step") return {6.0 * both, one.axes.layers * 4.0 * edges, triplets};
  return {3.0 * both, edges, 0.0};
}

/// The flops that the reference makes: those of the case, but of score_topk only for a few of the queries.
double reference_flops(const Case& one, const Size& size) {
  return one.op == "score_topk" ? size.flops * 64.0 / kQueries : size.flops;
}

/// Graphs on the backend under test, the reference and the CPU backend, both lists of interactions,
/// the tables at which ceilings are measured, and the values that the workload keeps, of up to three tables a side.
Need data_need(const Sizes& s) {
  const auto edges = static_cast<double>(s.interactions);
  const auto nodes = static_cast<double>(s.users + s.items);
  const double tables = 8.0 * static_cast<double>(std::max(s.users, s.items) * s.width);
  double kept = 0.0;
  for (const std::int64_t rows : {s.users, s.items}) {
    const double bytes = 4.0 * static_cast<double>(rows * s.width);
    if (bytes <= static_cast<double>(Workload::kKeptBytes)) kept += 3.0 * bytes;
  }
  return {.device = 16.0 * edges + 32.0 * nodes + tables,
          .host = 90.0 * edges + 100.0 * nodes + kept,
          .preparation = 400e-9 * edges};
}

}  // namespace

Need need_of(const Case& one, const Sizes& sizes) {
  const Size size = size_of(one, sizes);
  Need need;
  need.device = 4.0 * size.elements + size.bytes;
  need.host = 8.0 * size.elements + size.bytes;
  // Half of the tables are results. Two backends, or a rival and the reference, make the others.
  need.preparation =
      kSecondsPerValue * size.elements + kSecondsPerReferenceFlop * reference_flops(one, size);
  need.run = size.flops / (kFlopsPerThread * sizes.threads) + 8.0 * size.elements / kBytesPerSecond;
  return need;
}

Estimate estimate(const Cases& cases, const Sizes& sizes, const RunPlan& plan) {
  const Need data = data_need(sizes);
  Estimate all;
  all.seconds = plan.processes * data.preparation;
  const double table_bytes = 4.0 * static_cast<double>((sizes.users + sizes.items) * sizes.width);
  all.seconds +=
      plan.states * kCeilingRuns * (kEviction + 2.0 * table_bytes / 3.0 / kBytesPerSecond);
  const bool on_host = plan.device == DeviceKind::kCpu;
  double held = 0.0;
  double largest = 0.0;
  for (const Case& one : cases) {
    const Need need = need_of(one, sizes);
    const double bytes = on_host ? need.device + need.host : need.device;
    const double repetition = need.run + kEviction;
    all.seconds += plan.processes * need.preparation +
                   plan.states * std::max(plan.seconds, plan.blocks * repetition);
    held += bytes;
    if (bytes > largest) {
      largest = bytes;
      all.largest_case = one.name();
    }
  }
  const double limited = std::min(held, plan.free / 2.0 + largest);
  const double own = on_host ? data.device + data.host : data.device;
  all.device = own + limited;
  all.largest = own + largest;
  return all;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 3600) return fmt::format("{} min", whole / 60);
  return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

std::string bytes_text(double bytes) {
  if (bytes < 999.5e6) return fmt::format("{:.0f} MB", std::max(1.0, bytes * 1e-6));
  return fmt::format("{:.1f} GB", bytes * 1e-9);
}

}  // namespace tern::bench
