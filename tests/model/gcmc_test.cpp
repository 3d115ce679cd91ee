// The GC-MC encoder against its formula in dense f64 loops, forward and backward.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include "host/model/message.hpp"
#include "tests/model/gcmc_fixture.hpp"
#include "tests/support/backends.hpp"

namespace tern::test {
namespace {

const GcMcCase kCases[] = {
    {"ids", 14, 11, 40},
    {"ids_of_three_layers", 14, 11, 40, {}, {}, InputKind::kIds, {7, 3}, 4},
    {"ids_beside_features_unread", 14, 11, 40, {3, 2}, {2, 3}, InputKind::kIds},
    {"numbers", 14, 11, 40, {3, 0}, {4, 0}},
    {"categories", 14, 11, 40, {0, 6}, {0, 5}},
    {"features_of_two_layers", 14, 11, 40, {3, 6}, {1, 5}, InputKind::kFeatures, {8}},
    {"features_and_ids", 14, 11, 40, {3, 6}, {2, 5}, InputKind::kBoth, {6}},
    {"features_of_users_alone", 14, 11, 40, {2, 3}, {}, InputKind::kAuto, {3}},
    {"few_edges", 30, 30, 8, {4, 0}, {4, 0}, InputKind::kFeatures, {6}},
    {"more_users", 50, 7, 90, {1, 2}, {12, 9}, InputKind::kBoth, {3}, 12},
    {"more_items", 7, 50, 90, {2, 3}, {4, 5}, InputKind::kBoth, {12}, 3},
    {"wide_ids_dense_graph", 9, 12, 200, {}, {}, InputKind::kIds, {2}, 16},
    {"narrow_ids_dense_graph", 9, 12, 200, {}, {}, InputKind::kIds, {16}, 2},
    {"width_one", 14, 11, 40, {2, 3}, {2, 3}, InputKind::kBoth, {1}, 1},
    {"dropout", 14, 11, 40, {2, 3}, {2, 3}, InputKind::kBoth, {6}, 5, 0.4, 0.0},
    {"message_dropout", 14, 11, 40, {2, 3}, {2, 3}, InputKind::kAuto, {6}, 5, 0.0, 0.4},
    {"both_dropouts", 14, 11, 40, {2, 3}, {2, 3}, InputKind::kBoth, {6}, 5, 0.25, 0.3},
};

/// |actual - expected| within the tolerance of the largest expected element, or of `least`.
void expect_near(const Values& actual, const Values& expected, double tolerance, double least,
                 const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double largest = least;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], tolerance * largest) << what << " element " << i;
  }
}

/// A tenth of the largest element of all gradients. If every ReLU of a column is open, the gradient
/// of its bias is 0, a sum of terms that cancel.
double tenth_of_largest(const Tables& gradients) {
  double largest = 0.0;
  for (const auto& [name, table] : gradients) {
    for (const double value : table.values) largest = std::max(largest, std::abs(value));
  }
  return largest / 10;
}

class GcMcFormula : public ::testing::TestWithParam<std::tuple<BackendCase, GcMcCase>> {
 protected:
  GcMcFixture g{std::get<0>(GetParam()).make(), std::get<1>(GetParam())};
  ModelFixture& f = g.f;
  const bool twofold = f.backend->describe().precision == "f64";
  const double tolerance = twofold ? 1e-12 : 2e-5;
  /// Cases and seeds keep all arguments so far from kinks that rounding does not matter.
  const double least_margin = twofold ? 1e-9 : 1e-5;

  void expect_embeddings(const std::string& when) {
    for (const Side side : {Side::kUser, Side::kItem}) {
      expect_near(f.embeddings(side), g.oracle.output(side).values, tolerance, 1e-2,
                  when + (side == Side::kUser ? ", users" : ", items"));
    }
  }
};

TEST_P(GcMcFormula, EmbedsByRunningStatistics) {
  const Tables before = g.tables();
  g.oracle.embed(before);
  f.model->embed();
  expect_embeddings("embed");
  for (const auto& [name, table] : g.tables()) EXPECT_EQ(table.values, before.at(name).values);
}

TEST_P(GcMcFormula, StepsForwardAndBackward) {
  Tables tables = g.tables();
  for (std::uint32_t step = 0; step < 3; ++step) {
    const std::string when = "step " + std::to_string(step);
    g.oracle.train(tables, step);
    ASSERT_GT(g.oracle.margin(), least_margin) << when;
    f.model->forward();
    expect_embeddings(when);
    for (const NamedBuffer& buffer : f.model->buffers()) {
      expect_near(values_of(*f.backend, *buffer.value), tables.at(buffer.name).values, tolerance,
                  1e-2, when + ", " + buffer.name);
    }
    std::array<Table, 2> upstream;
    for (const Side side : {Side::kUser, Side::kItem}) {
      Matrix& gradient = f.model->embedding_gradient(side);
      assign(*f.backend, gradient,
             random_values(gradient.size(), 10 * step + static_cast<std::uint64_t>(side)));
      upstream[static_cast<std::size_t>(side)] = g.table(gradient);
    }
    const Tables gradients = g.oracle.backward(tables, upstream[0], upstream[1]);
    const double least = tenth_of_largest(gradients);
    f.model->backward();
    ASSERT_EQ(gradients.size(), f.model->parameters().size());
    for (const Parameter& parameter : f.model->parameters()) {
      ASSERT_TRUE(gradients.contains(parameter.name)) << parameter.name;
      EXPECT_EQ(parameter.rows, nullptr) << parameter.name;
      expect_near(values_of(*f.backend, *parameter.gradient), gradients.at(parameter.name).values,
                  4 * tolerance, least, when + ", " + parameter.name);
    }
  }
}

TEST_P(GcMcFormula, DoesNotHeedWhatEarlierBatchesLeft) {
  // NaN in every gradient, then a step whose loss writes only the batch's rows.
  for (const Parameter& parameter : f.model->parameters()) {
    f.backend->fill(*parameter.gradient, std::numeric_limits<double>::quiet_NaN());
  }
  std::array<Table, 2> upstream;
  for (const Side side : {Side::kUser, Side::kItem}) {
    f.backend->fill(f.model->embedding_gradient(side), std::numeric_limits<double>::quiet_NaN());
  }
  Tables tables = g.tables();
  g.oracle.train(tables, 0);
  ASSERT_GT(g.oracle.margin(), least_margin);
  f.model->forward();
  f.backend->bpr(f.triplets, f.model->embeddings(Side::kUser), f.model->embeddings(Side::kItem),
                 f.model->embedding_gradient(Side::kUser), f.model->embedding_gradient(Side::kItem),
                 f.losses);
  const std::vector<Triplet> batch = f.batch(0);
  for (const Side side : {Side::kUser, Side::kItem}) {
    Table& of = upstream[static_cast<std::size_t>(side)];
    of = g.table(f.model->embedding_gradient(side));
    const std::vector<bool> written = marks(of.rows, rows_of(batch, side));
    for (std::int64_t i = 0; i < of.rows * of.cols; ++i) {
      if (!written[i / of.cols]) of.values[i] = 0.0;
    }
  }
  const Tables gradients = g.oracle.backward(tables, upstream[0], upstream[1]);
  const double least = tenth_of_largest(gradients);
  f.model->backward();
  for (const Parameter& parameter : f.model->parameters()) {
    expect_near(values_of(*f.backend, *parameter.gradient), gradients.at(parameter.name).values,
                4 * tolerance, least, parameter.name);
  }
}

INSTANTIATE_TEST_SUITE_P(, GcMcFormula,
                         ::testing::Combine(::testing::ValuesIn(backends_under_test()),
                                            ::testing::ValuesIn(kCases)),
                         [](const auto& param) {
                           return std::get<0>(param.param).name + "_" +
                                  std::get<1>(param.param).name;
                         });

/// The sizes that decide the order of the messages to side `to` in a case's first layer.
MessageSizes sizes_of(const GcMcCase& c, Side to) {
  const SideFeatures features(c, c.users, c.items);
  const EncodedFeatures* x = features.view().of(opposite(to));
  const bool reads = x != nullptr && c.inputs != InputKind::kIds;
  const bool learns = c.inputs == InputKind::kIds || c.inputs == InputKind::kBoth || x == nullptr;
  const NodeId senders = to == Side::kUser ? c.items : c.users;
  return {.senders = senders,
          .receivers = to == Side::kUser ? c.users : c.items,
          .edges = with_isolated_nodes(c.users, c.items, c.edges, 3).size(),
          .numbers = reads ? static_cast<std::int64_t>(x->number_names.size()) : 0,
          .categories = reads ? x->categories.num_items() : 0,
          .ones = reads ? x->categories.size() : 0,
          .learned = learns ? c.width : 0,
          .width = c.hidden.empty() ? c.width : c.hidden.front()};
}

TEST(GcMcCases, HaveBothOrdersOnBothSidesWithAndWithoutLearnedInputs) {
  std::set<std::tuple<Side, MessageOrder, bool>> seen;
  for (const GcMcCase& c : kCases) {
    for (const Side to : {Side::kUser, Side::kItem}) {
      const MessageSizes sizes = sizes_of(c, to);
      seen.insert({to, cheaper_order(sizes), sizes.learned > 0});
    }
  }
  EXPECT_EQ(seen.size(), 8u);
}

TEST(CheaperOrder, MakesNoTableOfManyCategories) {
  // Few operations, but 30,000 categories as a dense matrix.
  const MessageSizes sizes{.senders = 365,
                           .receivers = 4,
                           .edges = 1'000'000,
                           .numbers = 0,
                           .categories = 30'000,
                           .ones = 2'000'000'000,
                           .learned = 0,
                           .width = 64};
  EXPECT_EQ(cheaper_order(sizes), MessageOrder::kLinearFirst);
  MessageSizes few = sizes;
  few.categories = 100;
  EXPECT_EQ(cheaper_order(few), MessageOrder::kPropagateFirst);
}

TEST(CheaperOrder, CountsByHand) {
  // Linear first: 3·(1 + 2)·4 + 3·(4 + 2)·4 = 108. Propagate first: 4·(1 + 2 + 2 + 1)·4 + 3·2·2 =
  // 108. A tie goes to linear first.
  const MessageSizes tie{.senders = 3,
                         .receivers = 4,
                         .edges = 2,
                         .numbers = 1,
                         .categories = 2,
                         .ones = 4,
                         .learned = 2,
                         .width = 4};
  EXPECT_EQ(cheaper_order(tie), MessageOrder::kLinearFirst);
  const auto with = [&](std::int64_t MessageSizes::*field, std::int64_t value) {
    MessageSizes sizes = tie;
    sizes.*field = value;
    return cheaper_order(sizes);
  };
  EXPECT_EQ(with(&MessageSizes::senders, 4), MessageOrder::kPropagateFirst);     // 120, 108
  EXPECT_EQ(with(&MessageSizes::senders, 2), MessageOrder::kLinearFirst);        // 96, 108
  EXPECT_EQ(with(&MessageSizes::receivers, 3), MessageOrder::kPropagateFirst);   // 108, 84
  EXPECT_EQ(with(&MessageSizes::receivers, 5), MessageOrder::kLinearFirst);      // 108, 132
  EXPECT_EQ(with(&MessageSizes::edges, 3), MessageOrder::kPropagateFirst);       // 120, 114
  EXPECT_EQ(with(&MessageSizes::edges, 1), MessageOrder::kLinearFirst);          // 96, 102
  EXPECT_EQ(with(&MessageSizes::numbers, 0), MessageOrder::kPropagateFirst);     // 96, 92
  EXPECT_EQ(with(&MessageSizes::numbers, 2), MessageOrder::kLinearFirst);        // 120, 124
  EXPECT_EQ(with(&MessageSizes::categories, 1), MessageOrder::kPropagateFirst);  // 108, 92
  EXPECT_EQ(with(&MessageSizes::categories, 3), MessageOrder::kLinearFirst);     // 108, 124
  EXPECT_EQ(with(&MessageSizes::ones, 5), MessageOrder::kPropagateFirst);        // 120, 108
  EXPECT_EQ(with(&MessageSizes::ones, 3), MessageOrder::kLinearFirst);           // 96, 108
  EXPECT_EQ(with(&MessageSizes::learned, 1), MessageOrder::kPropagateFirst);     // 96, 86
  EXPECT_EQ(with(&MessageSizes::learned, 3), MessageOrder::kLinearFirst);        // 120, 130
  EXPECT_EQ(with(&MessageSizes::width, 5), MessageOrder::kPropagateFirst);       // 135, 132
  EXPECT_EQ(with(&MessageSizes::width, 3), MessageOrder::kLinearFirst);          // 81, 84
}

}  // namespace
}  // namespace tern::test
