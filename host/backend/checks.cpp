#include "host/backend/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <new>
#include <stdexcept>

#include "host/backend/expect.hpp"
#include "host/backend/pair_program.hpp"
#include "host/backend/pair_weight.hpp"
#include "host/config/keys.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

void expect_in(std::string_view op, std::string_view what, std::int64_t position, NodeId id,
               NodeId size) {
  if (id < 0 || id >= size) {
    throw_shape("{}: {} {} is {}, expected [0, {})", op, what, position, id, size);
  }
}

/// The checks that bpr and l2_penalty share.
void check_batch_op(std::string_view op, const Triplets& triplets, const Matrix& users,
                    const Matrix& items, const Matrix& grad_users, const Matrix& grad_items,
                    const Matrix& losses) {
  expect_present(op, "triplets", triplets);
  expect_present(op, "users", users);
  const std::int64_t width = users.cols();
  const NodeId num_users = triplets.rows(Side::kUser).num_nodes();
  const NodeId num_items = triplets.rows(Side::kItem).num_nodes();
  expect_shape(op, "users", users, num_users, width);
  expect_shape(op, "items", items, num_items, width);
  expect_shape(op, "grad_users", grad_users, num_users, width);
  expect_shape(op, "grad_items", grad_items, num_items, width);
  // 2 rows, or 4 if info_nce writes the others.
  if (losses.rows() != 4) expect_shape(op, "losses", losses, 2, triplets.num_batches());
  expect_shape(op, "losses", losses, losses.rows(), triplets.num_batches());
  expect_distinct(op, "grad_users", grad_users, "grad_items", grad_items);
  expect_distinct(op, "users", users, "grad_users", grad_users);
  expect_distinct(op, "users", users, "grad_items", grad_items);
  expect_distinct(op, "items", items, "grad_users", grad_users);
  expect_distinct(op, "items", items, "grad_items", grad_items);
}

/// The checks of losses that read the M consecutive triplets of a pair together.
void check_whole_pairs(std::string_view op, const Triplets& triplets) {
  const int negatives = triplets.negatives_per_positive();
  if (negatives == 0) {
    throw_shape("{}: the triplets have no negatives; make them with negatives_per_positive from 1",
                op);
  }
  if (triplets.batch_size() % negatives != 0) {
    throw_shape("{}: the batch size is {}, expected a multiple of the {} negatives per positive",
                op, triplets.batch_size(), negatives);
  }
}

/// A program and kDot belong to an expression, which needs its program.
void check_expression(const SampledContrastOptions& options) {
  if (options.kind == SampledContrastKind::kExpression) {
    if (options.program != nullptr && is_whole(*options.program)) return;
    throw ConfigError(
        "sampled_contrast: the program is null or damaged, expected that of "
        "Expression::compile()");
  }
  if (options.program != nullptr || options.similarity != PairSimilarity::kCosine) {
    throw ConfigError(
        "sampled_contrast: found a program or dot products, expected none, as only an expression "
        "has them");
  }
}

}  // namespace

void throw_empty(std::string_view op, std::string_view what) {
  throw_shape("{}: {} is empty; allocate it first", op, what);
}

void throw_foreign(std::string_view op, std::string_view what) {
  throw_shape("{}: {} belongs to another backend", op, what);
}

std::int64_t check_allocate(std::int64_t rows, std::int64_t cols, std::int64_t element_bytes) {
  if (rows < 0 || cols < 0) {
    throw_shape("allocate: found size ({}, {}), expected no negative number", rows, cols);
  }
  // The address space of a process on today's 64-bit machines: 47 bits.
  constexpr std::int64_t kAddressable = std::int64_t{1} << 47;
  // An empty side counts as one row, so that no stride overflows either.
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(std::max<std::int64_t>(rows, 1), std::max<std::int64_t>(cols, 1),
                             &bytes) ||
      __builtin_mul_overflow(bytes, element_bytes, &bytes) || bytes > kAddressable) {
    throw DeviceError(
        fmt::format("allocate: a matrix of ({}, {}) is too large: {:.3g} bytes needed", rows, cols,
                    static_cast<double>(rows) * static_cast<double>(cols) *
                        static_cast<double>(element_bytes)));
  }
  return rows * cols;
}

void reserve_memory(std::string_view op, double bytes, const std::function<void()>& make) {
  const auto fail = [&] {
    throw MemoryError(fmt::format("{}: out of memory: {:.0f} bytes needed", op, bytes));
  };
  try {
    make();
  } catch (const std::bad_alloc&) {
    fail();
  } catch (const std::length_error&) {
    fail();
  }
}

void check_transfer(std::string_view op, const Matrix& matrix, std::size_t num_values) {
  expect_present(op, "matrix", matrix);
  if (num_values != static_cast<std::size_t>(matrix.size())) {
    throw_shape("{}: found {} values for a matrix of ({}, {}), expected {}", op, num_values,
                matrix.rows(), matrix.cols(), matrix.size());
  }
}

void check_copy(const Matrix& from, const Matrix& to) {
  expect_present("copy", "from", from);
  expect_shape("copy", "to", to, from.rows(), from.cols());
}

void check_make_row_set(NodeId num_nodes, std::span<const NodeId> rows) {
  if (num_nodes < 0) {
    throw_shape("make_row_set: found {} nodes, expected no negative number", num_nodes);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    expect_in("make_row_set", "row", static_cast<std::int64_t>(i), rows[i], num_nodes);
  }
}

void check_record(const std::function<void()>& step) {
  if (!step) throw Error("record: found no step, expected a function");
}

void throw_in_recorded_step(std::string_view op) {
  throw_shape(
      "{}() inside a recorded step, which must not allocate, wait, or move numbers between host "
      "and device; call it before, such as in the constructor or prepare() of a loss, or let "
      "Loss::is_recorded() return false",
      op);
}

SamplingCounts check_make_triplets(const SamplingOptions& options, std::int64_t batch_size,
                                   std::span<const EdgeOffset> offsets, NodeId num_items) {
  Config config;
  config.sampling = options;
  config.batch_size = batch_size;
  // 0, for pairs, is an option of the library; the key, which only losses with negatives
  // read, begins at 1.
  if (options.negatives_per_positive == 0) config.sampling.negatives_per_positive = 1;
  check_keys(config, "sampling.");
  check_keys(config, "train.batch_size");
  SamplingCounts counts;
  for (std::size_t user = 0; user + 1 < offsets.size(); ++user) {
    const EdgeOffset degree = offsets[user + 1] - offsets[user];
    if (degree == 0) {
      ++counts.users_without_interactions;
    } else if (degree >= num_items) {
      ++counts.users_with_every_item;
    } else {
      ++counts.users;
      counts.interactions += degree;
    }
  }
  if (counts.users == 0) {
    throw ConfigError(
        fmt::format("no user can be sampled: {} have no interaction and {} have every item",
                    counts.users_without_interactions, counts.users_with_every_item));
  }
  if (counts.interactions >
      std::numeric_limits<std::int64_t>::max() / 16 / options.triplets_per_positive()) {
    throw ConfigError(
        fmt::format("sampling.negatives_per_positive: found {}, too many for {} interactions",
                    options.negatives_per_positive, counts.interactions));
  }
  return counts;
}

void check_set_triplets(const Triplets& triplets, std::span<const Triplet> values) {
  constexpr std::string_view kOp = "set_triplets";
  expect_present(kOp, "triplets", triplets);
  if (values.size() != static_cast<std::size_t>(triplets.size())) {
    throw_shape("{}: found {} triplets, expected {}", kOp, values.size(), triplets.size());
  }
  for (std::size_t t = 0; t < values.size(); ++t) {
    const auto position = static_cast<std::int64_t>(t);
    expect_in(kOp, "the user of triplet", position, values[t].user,
              triplets.rows(Side::kUser).num_nodes());
    expect_in(kOp, "the positive of triplet", position, values[t].positive,
              triplets.rows(Side::kItem).num_nodes());
    if (triplets.negatives_per_positive() > 0) {
      expect_in(kOp, "the negative of triplet", position, values[t].negative,
                triplets.rows(Side::kItem).num_nodes());
    } else if (values[t].negative != kNoItem) {
      throw_shape("{}: the negative of triplet {} is {}, expected {}, as pairs have no negative",
                  kOp, position, values[t].negative, kNoItem);
    }
  }
}

void check_sampled(std::string_view op, bool sampled) {
  if (!sampled) {
    throw_shape("{}: no triplets are drawn yet; call sample() or set_triplets() first", op);
  }
}

void check_bpr(const Triplets& triplets, const Matrix& users, const Matrix& items,
               const Matrix& grad_users, const Matrix& grad_items, const Matrix& losses) {
  check_batch_op("bpr", triplets, users, items, grad_users, grad_items, losses);
  if (triplets.negatives_per_positive() == 0) {
    throw_shape(
        "bpr: the triplets have no negatives; make them with negatives_per_positive from 1");
  }
}

void check_in_batch_softmax(const Triplets& triplets, const InBatchSoftmaxOptions& options,
                            const Matrix& users, const Matrix& items, const Matrix& grad_users,
                            const Matrix& grad_items, const Matrix& losses) {
  expect_positive("temperature", options.temperature);
  expect_non_negative("negative_weight", options.negative_weight);
  expect_non_negative("popularity_correction", options.popularity_correction);
  check_batch_op("in_batch_softmax", triplets, users, items, grad_users, grad_items, losses);
  if (options.columns == SoftmaxColumns::kPairsAndNegatives) {
    check_whole_pairs("in_batch_softmax", triplets);
  }
  check_pair_weight(options, triplets.rows(Side::kUser).num_nodes());
}

void check_alignment_uniformity(const Triplets& triplets, const AlignmentUniformityOptions& options,
                                const Matrix& users, const Matrix& items, const Matrix& grad_users,
                                const Matrix& grad_items, const Matrix& losses) {
  expect_non_negative("uniformity_weight", options.uniformity_weight);
  check_batch_op("alignment_uniformity", triplets, users, items, grad_users, grad_items, losses);
}

void check_sampled_contrast(const Triplets& triplets, const SampledContrastOptions& options,
                            const Matrix& users, const Matrix& items, const Matrix& grad_users,
                            const Matrix& grad_items, const Matrix& losses) {
  constexpr std::string_view kOp = "sampled_contrast";
  expect_positive("temperature", options.temperature);
  expect_option("margin", options.margin, options.margin >= -1 && options.margin <= 1, "[-1, 1]");
  expect_non_negative("negative_weight", options.negative_weight);
  check_batch_op(kOp, triplets, users, items, grad_users, grad_items, losses);
  check_pair_weight(options, triplets.rows(Side::kUser).num_nodes());
  check_expression(options);
  check_whole_pairs(kOp, triplets);
}

void check_info_nce(const Triplets& triplets, const InfoNceOptions& options, Side side,
                    const Matrix& views, const Matrix& others, const Matrix& grad_views,
                    const Matrix& grad_others, const Matrix& losses) {
  constexpr std::string_view kOp = "info_nce";
  expect_positive("temperature", options.temperature);
  expect_non_negative("weight", options.weight);
  expect_present(kOp, "triplets", triplets);
  expect_present(kOp, "views", views);
  const NodeId nodes = triplets.rows(side).num_nodes();
  const std::int64_t width = views.cols();
  expect_shape(kOp, "views", views, nodes, width);
  expect_shape(kOp, "others", others, nodes, width);
  expect_shape(kOp, "grad_views", grad_views, nodes, width);
  expect_shape(kOp, "grad_others", grad_others, nodes, width);
  expect_shape(kOp, "losses", losses, 4, triplets.num_batches());
  expect_distinct(kOp, {{"views", &views},
                        {"others", &others},
                        {"grad_views", &grad_views},
                        {"grad_others", &grad_others}});
}

void check_perturb(const PerturbOptions& options, const Counter& step, const Matrix& values,
                   const RowSet* rows, const RowSum& sum) {
  constexpr std::string_view kOp = "perturb";
  expect_non_negative("magnitude", options.magnitude);
  expect_option("place of perturb", options.place, options.place < (1u << 16), "below 65536");
  expect_present(kOp, "step", step);
  expect_present(kOp, "values", values);
  if (rows != nullptr) expect_row_set(kOp, "rows", *rows, values.rows());
  if (sum.sum == nullptr) return;
  expect_option("weight of perturb", sum.weight, std::isfinite(sum.weight), "a finite number");
  expect_shape(kOp, "sum", *sum.sum, values.rows(), values.cols());
  expect_distinct(kOp, "values", values, "sum", *sum.sum);
  if (sum.rows != nullptr) expect_row_set(kOp, "rows of the sum", *sum.rows, values.rows());
}

void check_l2_penalty(const Triplets& triplets, double lambda, const Matrix& users,
                      const Matrix& items, const Matrix& grad_users, const Matrix& grad_items,
                      const Matrix& losses) {
  expect_non_negative("lambda of l2_penalty", lambda);
  check_batch_op("l2_penalty", triplets, users, items, grad_users, grad_items, losses);
}

float finite_factor(double value) {
  constexpr double kMax = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(value, -kMax, kMax));
}

void check_score_topk(const Matrix& users, const Matrix& items, std::span<const NodeId> queries,
                      std::span<const Graph* const> observed, std::int64_t k) {
  constexpr std::string_view kOp = "score_topk";
  if (k < 1) throw_shape("{}: k is {}, expected at least 1", kOp, k);
  expect_present(kOp, "users", users);
  expect_present(kOp, "items", items);
  expect_shape(kOp, "items", items, items.rows(), users.cols());
  constexpr std::int64_t kMaxNodes = std::numeric_limits<NodeId>::max();
  if (users.rows() > kMaxNodes || items.rows() > kMaxNodes) {
    throw_shape("{}: found {} users and {} items, expected at most {}", kOp, users.rows(),
                items.rows(), kMaxNodes);
  }
  for (std::size_t q = 0; q < queries.size(); ++q) {
    expect_in(kOp, "query", static_cast<std::int64_t>(q), queries[q],
              static_cast<NodeId>(users.rows()));
  }
  for (const Graph* graph : observed) {
    if (graph == nullptr) throw_empty(kOp, "an observed graph");
    expect_present(kOp, "an observed graph", *graph);
    if (graph->num_users() != users.rows() || graph->num_items() != items.rows()) {
      throw_shape("{}: an observed graph has {} users and {} items, expected {} and {}", kOp,
                  graph->num_users(), graph->num_items(), users.rows(), items.rows());
    }
  }
}

void resize_top_items(std::size_t num_queries, std::int64_t k, TopItems& top) {
  constexpr std::int64_t kBytes = sizeof(NodeId) + sizeof(float);
  const double bytes = static_cast<double>(num_queries) * static_cast<double>(k) * kBytes;
  std::int64_t size = 0;
  if (__builtin_mul_overflow(static_cast<std::int64_t>(num_queries), k, &size)) {
    throw DeviceError(
        fmt::format("score_topk: {} lists of {} items are too large: {:.3g} bytes needed",
                    num_queries, k, bytes));
  }
  reserve_memory("score_topk", bytes, [&] {
    top.k = k;
    top.items.assign(static_cast<std::size_t>(size), -1);
    top.scores.assign(static_cast<std::size_t>(size), -std::numeric_limits<float>::infinity());
  });
}

void check_embedding_statistics(const Matrix& embeddings) {
  expect_present("embedding_statistics", "embeddings", embeddings);
}

}  // namespace tern
