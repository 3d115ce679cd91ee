// propagate from matrices that it reads in bf16: the same sums, of rounded elements, whoever wrote them.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "host/support/bf16.hpp"
#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

constexpr MatrixOptions kRounded{.gather = GatherPrecision::kBf16};

/// n users and n items, user i with item i.
Interactions diagonal(NodeId n) {
  std::vector<Interaction> pairs;
  for (NodeId node = 0; node < n; ++node) pairs.push_back({node, node});
  return Interactions::from_pairs(n, n, pairs);
}

Values rounded(Values values) {
  for (double& value : values) value = round_to_bf16(static_cast<float>(value));
  return values;
}

class PropagatePrecision : public BackendTest {
 protected:
  /// The elements of a matrix as propagate reads them.
  Values read_by_propagate(const Matrix& matrix) {
    const auto n = static_cast<NodeId>(matrix.rows());
    const Graph graph = backend_.make_graph(diagonal(n));
    Matrix y = make_poisoned(backend_, n, matrix.cols());
    backend_.propagate(graph, Side::kUser, matrix, y, {.normalization = Normalization::kNone});
    return values_of(backend_, y);
  }

  void assign(Matrix& matrix, std::uint64_t seed) {
    const Values values = random_values(matrix.size(), seed);
    backend_.upload(std::span<const double>(values), matrix);
  }

  /// Expects that propagate reads the matrix as it is now.
  void expect_fresh(const Matrix& matrix, const std::string& writer) {
    EXPECT_TRUE(same_bits(read_by_propagate(matrix), rounded(values_of(backend_, matrix))))
        << "after " << writer;
  }

  struct Options {
    bool to = false;
    bool from = false;
    bool addend = false;
  };

  static Values run(Backend& backend, const Interactions& interactions, Side to, std::int64_t width,
                    const Values& x, const Values& addend, const Options& options) {
    const Graph graph = backend.make_graph(interactions);
    const NodeId num_to = graph.num_nodes(to);
    const NodeId num_from = graph.num_nodes(opposite(to));
    const Matrix in = make_matrix(backend, num_from, width, x, kRounded);
    const Matrix added = make_matrix(backend, num_to, width, addend);
    Matrix out = make_poisoned(backend, num_to, width);
    const RowSet to_rows = backend.make_row_set(num_to, random_rows(num_to, 11, 0.5));
    const RowSet from_rows = backend.make_row_set(num_from, random_rows(num_from, 12, 0.5));
    backend.propagate(graph, to, in, out,
                      {.to = options.to ? &to_rows : nullptr,
                       .from = options.from ? &from_rows : nullptr,
                       .addend = options.addend ? &added : nullptr,
                       .scale = 0.5});
    return values_of(backend, out);
  }
};

TEST_P(PropagatePrecision, RoundsEachElementOnce) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::int64_t width : {1, 2, 16, 17, 48, 64, 130, 512}) {
    Values x = random_values(40 * width, 3);
    x[0] = 1.0 + std::ldexp(1.0, -8);  // a tie
    x[1] = infinity;
    x[2] = std::ldexp(1.0, -140);  // rounds to 0
    x[3] = std::ldexp(3.0, -134);  // between the smallest bf16 and twice that
    x[4] = std::nanf("0x3fffff");  // rounded as a number it would be 0
    const Matrix matrix = make_matrix(backend_, 40, width, x, kRounded);
    EXPECT_TRUE(same_bits(read_by_propagate(matrix), rounded(x))) << width;
    EXPECT_TRUE(same_bits(values_of(backend_, matrix), x)) << "a download is not rounded";
  }
}

TEST_P(PropagatePrecision, MatchesTheReferenceOnTheBattery) {
  const Options combinations[] = {
      {}, {.to = true}, {.from = true, .addend = true}, {.to = true, .from = true}};
  for (const NamedGraph& named : graph_battery(GetParam().budget)) {
    const Interactions sides[] = {named.interactions, named.interactions.transposed()};
    for (const Side to : {Side::kUser, Side::kItem}) {
      const Interactions& rows = sides[static_cast<int>(to)];
      for (const std::int64_t width : named.widths) {
        const Values x = random_values(rows.num_items() * width, 1);
        const Values addend = random_values(rows.num_users() * width, 2);
        for (const Options& options : combinations) {
          const auto of = [&](Backend& backend, const Values& source, const Values& added) {
            return run(backend, named.interactions, to, width, source, added, options);
          };
          Comparison result{.actual = of(backend_, x, addend),
                            .expected = of(reference_, x, addend),
                            .magnitude = of(reference_, absolute(x), absolute(addend)),
                            .cols = width};
          for (std::size_t i = 0; i < result.magnitude.size(); ++i) {
            const auto degree = rows.row(static_cast<NodeId>(i / width)).size();
            result.magnitude[i] *= summation_factor(static_cast<double>(degree));
          }
          if (options.to) {
            result.written = marks(rows.num_users(), random_rows(rows.num_users(), 11, 0.5));
          }
          EXPECT_TRUE(within_bound(result, 1, epsilon())) << named.name << ", D " << width;
        }
      }
    }
  }
}

/// An op that writes to a matrix.
struct Writer {
  std::string name;
  std::function<void(Matrix&)> write;
};

/// Every op that may write to a matrix with a bf16 copy, with what it reads and what else it writes.
class Writers {
 public:
  static constexpr NodeId kNodes = 70;
  static constexpr std::int64_t kWidth = 20;

  explicit Writers(Backend& backend) : backend_(backend) {
    backend_.sample(triplets_, 1);
    layer_.inner.terms = {{&other_, &weight_}};
    layer_.inner.addend = &other_;
    layer_.batch_norm = BatchNorm{.scale = &scale_,
                                  .shift = &shift_,
                                  .running_mean = &running_mean_,
                                  .running_variance = &running_variance_};
    // The backward passes need the state of a forward pass.
    backend_.linear_relu_batchnorm(layer_, DenseMode::kTraining, state_, third_);
  }
  Writers(const Writers&) = delete;
  Writers& operator=(const Writers&) = delete;

  std::vector<Writer> all() {
    std::vector<Writer> all = plain();
    for (const auto& part : {optimizers(), dense(), noise_and_unit_rows(), losses()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

 private:
  AdamState adam_state() {
    return {backend_.allocate(kNodes, kWidth), backend_.allocate(kNodes, kWidth)};
  }
  AdamState adam_state_by_rows() {
    AdamState state = adam_state();
    state.row_steps = backend_.make_row_steps(kNodes);
    return state;
  }

  std::vector<Writer> plain() {
    return {
        {"upload",
         [&](Matrix& m) {
           const Values values = random_values(m.size(), 2);
           backend_.upload(std::span<const double>(values), m);
         }},
        {"fill", [&](Matrix& m) { backend_.fill(m, 0.1); }},
        {"copy", [&](Matrix& m) { backend_.copy(other_, m); }},
        {"propagate", [&](Matrix& m) { backend_.propagate(graph_, Side::kUser, other_, m); }},
        {"propagate to rows",
         [&](Matrix& m) {
           backend_.propagate(graph_, Side::kItem, other_, m, {.to = &some_, .addend = &other_});
         }},
    };
  }

  std::vector<Writer> optimizers() {
    return {
        {"adam",
         [&](Matrix& m) {
           AdamState state = adam_state();
           backend_.adam({.learning_rate = 0.1}, step_, other_, m, state);
         }},
        {"adam without epsilon",
         [&](Matrix& m) {
           AdamState state = adam_state();
           backend_.adam({.learning_rate = 0.1, .epsilon = 0.0}, step_, other_, m, state);
         }},
        {"adam of rows",
         [&](Matrix& m) {
           AdamState state = adam_state_by_rows();
           backend_.adam({.learning_rate = 0.1}, step_, other_, m, state, &some_);
         }},
        {"adam_catch_up",
         [&](Matrix& m) {
           AdamState state = adam_state_by_rows();
           backend_.adam_catch_up({.learning_rate = 0.1, .weight_decay = 0.1}, step_, m, state);
         }},
        {"sgd", [&](Matrix& m) { backend_.sgd({.momentum = 0.5}, step_, other_, m, velocity_); }},
        {"sgd of rows",
         [&](Matrix& m) { backend_.sgd({.momentum = 0.5}, step_, other_, m, velocity_, &some_); }},
    };
  }

  void dense_backward(const DenseSumGradients& inner) {
    backend_.linear_relu_batchnorm_backward(layer_, state_, other_, {.inner = inner});
  }

  std::vector<Writer> dense() {
    const auto forward = [&](DenseMode mode) {
      return [this, mode](Matrix& m) {
        DenseState state = backend_.make_dense_state(kNodes, kWidth);
        backend_.linear_relu_batchnorm(layer_, mode, state, m);
      };
    };
    const auto input_gradient = [&](DenseTermGradients::Write write) {
      return [this, write](Matrix& m) {
        dense_backward({.terms = {{.input = &m, .input_write = write}}});
      };
    };
    return {
        {"linear_relu_batchnorm", forward(DenseMode::kTraining)},
        {"linear_relu_batchnorm in evaluation", forward(DenseMode::kEvaluation)},
        {"linear_relu_batchnorm_backward", input_gradient(DenseTermGradients::Write::kOverwrite)},
        {"linear_relu_batchnorm_backward that adds",
         input_gradient(DenseTermGradients::Write::kAdd)},
        {"linear_relu_batchnorm_backward of an addend",
         [&](Matrix& m) { dense_backward({.addend = &m}); }},
    };
  }

  std::vector<Writer> noise_and_unit_rows() {
    return {
        {"dropout", [&](Matrix& m) { backend_.dropout({.probability = 0.3}, step_, m); }},
        {"perturb", [&](Matrix& m) { backend_.perturb({}, step_, m); }},
        {"perturb's sum",
         [&](Matrix& m) {
           backend_.perturb({}, step_, third_, nullptr, {.sum = &m, .weight = 0.3});
         }},
        {"normalize_rows", [&](Matrix& m) { backend_.normalize_rows(other_, m); }},
        {"normalize_rows' sum",
         [&](Matrix& m) { backend_.normalize_rows(other_, third_, {.sum = &m, .weight = 0.3}); }},
        {"normalize_rows_backward",
         [&](Matrix& m) { backend_.normalize_rows_backward(other_, m, m); }},
    };
  }

  std::vector<Writer> losses() {
    return {
        {"bpr", [&](Matrix& m) { backend_.bpr(triplets_, other_, other_, m, third_, losses_); }},
        {"l2_penalty",
         [&](Matrix& m) {
           backend_.l2_penalty(triplets_, 0.5, other_, other_, third_, m, losses_);
         }},
        {"in_batch_softmax",
         [&](Matrix& m) {
           backend_.in_batch_softmax(triplets_, {}, other_, other_, m, third_, losses_);
         }},
        {"alignment_uniformity",
         [&](Matrix& m) {
           backend_.alignment_uniformity(triplets_, {}, other_, other_, m, third_, losses_);
         }},
        {"sampled_contrast",
         [&](Matrix& m) {
           backend_.sampled_contrast(triplets_, {}, other_, other_, third_, m, losses_);
         }},
        {"info_nce",
         [&](Matrix& m) {
           backend_.info_nce(triplets_, {}, Side::kUser, other_, unequal_, m, third_, losses_);
         }},
        {"info_nce of others",
         [&](Matrix& m) {
           backend_.info_nce(triplets_, {}, Side::kItem, other_, unequal_, third_, m, losses_);
         }},
    };
  }

  Matrix random_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    return make_matrix(backend_, rows, cols, random_values(rows * cols, seed));
  }

  Backend& backend_;
  const Graph graph_ = backend_.make_graph(random_interactions(kNodes, kNodes, 0.1, 5));
  const RowSet some_ = backend_.make_row_set(kNodes, random_rows(kNodes, 4, 0.4));
  const Counter step_ = backend_.make_counter(1);
  const Matrix other_ = random_matrix(kNodes, kWidth, 1);
  const Matrix unequal_ = random_matrix(kNodes, kWidth, 3);
  Matrix third_ = backend_.allocate(kNodes, kWidth);
  SgdState velocity_{backend_.allocate(kNodes, kWidth)};
  Triplets triplets_ = backend_.make_triplets(graph_, {}, 30);
  Matrix losses_ = backend_.allocate(4, triplets_.num_batches());
  const Matrix weight_ = random_matrix(kWidth, kWidth, 6);
  const Matrix scale_ = random_matrix(1, kWidth, 8);
  const Matrix shift_ = random_matrix(1, kWidth, 9);
  Matrix running_mean_ = backend_.allocate(1, kWidth);
  Matrix running_variance_ = make_matrix(backend_, 1, kWidth, Values(kWidth, 1.0));
  DenseLayer layer_;
  DenseState state_ = backend_.make_dense_state(kNodes, kWidth);
};

TEST_P(PropagatePrecision, ReadsWhatTheLastOpWrote) {
  Writers ops(backend_);
  const std::vector<Writer> writers = ops.all();
  for (const Writer& first : writers) {
    for (const Writer& second : writers) {
      Matrix matrix = backend_.allocate(Writers::kNodes, Writers::kWidth, kRounded);
      assign(matrix, 7);
      first.write(matrix);
      second.write(matrix);
      expect_fresh(matrix, first.name + " and " + second.name);
      first.write(matrix);
      expect_fresh(matrix, first.name);
    }
  }
}

/// In each backend's own sums a copy only rounds.
TEST_P(PropagatePrecision, SumsLikeARoundedTable) {
  const bool both[] = {false, true};
  for (const NamedGraph& named : graph_battery(GetParam().budget)) {
    const Graph graph = backend_.make_graph(named.interactions);
    const NodeId users = graph.num_nodes(Side::kUser), items = graph.num_nodes(Side::kItem);
    const RowSet to = backend_.make_row_set(users, random_rows(users, 11, 0.5));
    const RowSet from = backend_.make_row_set(items, random_rows(items, 12, 0.5));
    for (const std::int64_t width : named.widths) {
      Values values = random_values(items * width, 1);
      // Products with one of these change a sum; a row without such a neighbour must not notice it.
      if (items > 2) values[0] = values[values.size() - 1] = std::nanf("");
      const Matrix x = make_matrix(backend_, items, width, values, kRounded);
      const Matrix table = make_matrix(backend_, items, width, rounded(values));
      for (const bool to_some : both) {
        for (const bool from_some : both) {
          const auto sums_of = [&](const Matrix& source) {
            Matrix y = make_poisoned(backend_, users, width);
            backend_.propagate(
                graph, Side::kUser, source, y,
                {.to = to_some ? &to : nullptr, .from = from_some ? &from : nullptr});
            return values_of(backend_, y);
          };
          EXPECT_TRUE(same_bits(sums_of(x), sums_of(table))) << named.name << ", D " << width;
        }
      }
    }
  }
}

/// Sums of products that underflow keep the sign of their zero, whatever is read beside them.
TEST_P(PropagatePrecision, KeepsTheSignOfZero) {
  const Interactions interactions = random_interactions(40, 30, 0.2, 3);
  const Graph graph = backend_.make_graph(interactions);
  const Matrix ones = make_matrix(backend_, 1, 40, Values(40, 1.0));
  const Matrix tiny = make_matrix(backend_, 1, 30, Values(30, 1e-30));
  const RowSet some = backend_.make_row_set(30, random_rows(30, 12, 0.5));
  for (const std::int64_t width : {3, 20, 64}) {
    const Values values(static_cast<std::size_t>(30 * width), -0x1p-120);
    const Matrix x = make_matrix(backend_, 30, width, values, kRounded);
    const Matrix table = make_matrix(backend_, 30, width, values);
    for (const RowSet* from : {static_cast<const RowSet*>(nullptr), &some}) {
      const auto sums_of = [&](const Matrix& source) {
        Matrix y = make_poisoned(backend_, 40, width);
        backend_.propagate(graph, Side::kUser, source, y,
                           {.normalization = Normalization::kGiven,
                            .to_scales = &ones,
                            .from_scales = &tiny,
                            .from = from});
        return values_of(backend_, y);
      };
      EXPECT_TRUE(same_bits(sums_of(x), sums_of(table))) << width;
    }
  }
}

/// A step that is recorded once follows tables that are written between its runs.
TEST_P(PropagatePrecision, RecordedStepsReadFreshTables) {
  const Graph graph = backend_.make_graph(random_interactions(30, 20, 0.3, 6));
  Matrix users = backend_.allocate(30, 12, kRounded);
  Matrix items = backend_.allocate(20, 12, kRounded);
  Matrix gradient = backend_.allocate(30, 12);
  AdamState state{backend_.allocate(30, 12), backend_.allocate(30, 12)};
  Counter count = backend_.make_counter(1);
  const auto step = [&] {
    backend_.propagate(graph, Side::kItem, users, items);
    backend_.propagate(graph, Side::kUser, items, gradient);
    backend_.adam({.learning_rate = 0.1}, count, gradient, users, state);
  };
  const auto recording = backend_.record(step);
  const auto results_of = [&](const std::function<void()>& run) {
    for (Matrix* matrix : {&state.first_moment, &state.second_moment}) backend_.fill(*matrix, 0);
    assign(users, 7);
    for (int i = 0; i < 3; ++i) run();
    assign(users, 8);
    run();
    Values results = values_of(backend_, users);
    for (const Values& more : {read_by_propagate(users), read_by_propagate(items)}) {
      results.insert(results.end(), more.begin(), more.end());
    }
    return results;
  };
  const Values expected = results_of(step);
  for (int i = 0; i < 2; ++i)
    EXPECT_TRUE(same_bits(results_of([&] { recording->replay(); }), expected));
}

TEST_P(PropagatePrecision, RepeatsBitForBit) {
  const Interactions interactions = random_interactions(90, 70, 0.3, 6);
  const Values x = random_values(70 * 33, 1);
  const auto once = [&] {
    return run(backend_, interactions, Side::kUser, 33, x, Values(90 * 33), {});
  };
  EXPECT_TRUE(same_bits(once(), once()));
}

INSTANTIATE_TEST_SUITE_P(Backends, PropagatePrecision, testing::ValuesIn(backends_under_test()),
                         backend_name);

}  // namespace
}  // namespace tern::test
