#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "tern/device.hpp"
#include "tests/support/graphs.hpp"
#include "tests/support/matrices.hpp"

// Gradients against central differences, in f64 on the reference. Each op's own test compares the
// other backends with the reference.
namespace tern::test {
namespace {

constexpr std::int64_t kWidth = 3;

/// (f(x + h) - f(x - h)) / 2h for every element of x: its error is h² |f'''| / 6 + eps |f| / h,
/// which h = 10⁻⁵ balances near 10⁻¹⁰.
Values central_differences(Values x, const std::function<double(const Values&)>& f) {
  constexpr double kStep = 1e-5;
  Values result;
  for (double& element : x) {
    const double middle = element;
    element = middle + kStep;
    const double above = f(x);
    element = middle - kStep;
    const double below = f(x);
    element = middle;
    result.push_back((above - below) / (2 * kStep));
  }
  return result;
}

void expect_close(const Values& actual, const Values& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], tolerance) << "element " << i;
  }
}

/// A small graph, one epoch of its triplets in two batches, and tables of users then items.
class Gradient : public testing::Test {
 protected:
  Gradient()
      : owned_(make_reference_backend()),
        backend_(*owned_),
        graph_(backend_.make_graph(random_interactions(kUsers, kItems, 0.5, 3))),
        triplets_(backend_.make_triplets(graph_, {.seed = Seed{1}}, graph_.size() - 4)),
        losses_(backend_.allocate(2, triplets_.num_batches())) {
    backend_.sample(triplets_, 0);
  }

  Matrix users_of(const Values& both) {
    return make_matrix(backend_, kUsers, kWidth, std::span(both).first(kUsers * kWidth));
  }
  Matrix items_of(const Values& both) {
    return make_matrix(backend_, kItems, kWidth, std::span(both).last(kItems * kWidth));
  }
  Values joined(const Matrix& users, const Matrix& items) {
    Values both = values_of(backend_, users);
    const Values rest = values_of(backend_, items);
    both.insert(both.end(), rest.begin(), rest.end());
    return both;
  }

  /// Loss of the current batch at row `kind` of the losses: 0 BPR, 1 L2.
  double loss(int kind, std::int64_t batch) {
    return values_of(backend_, losses_)[kind * triplets_.num_batches() + batch];
  }

  /// BPR at final embeddings; its gradient, zero outside of the batch's rows.
  double bpr(const Values& both, std::int64_t batch, Values* gradient) {
    Matrix grad_users = backend_.allocate(kUsers, kWidth);
    Matrix grad_items = backend_.allocate(kItems, kWidth);
    backend_.bpr(triplets_, users_of(both), items_of(both), grad_users, grad_items, losses_);
    if (gradient != nullptr) *gradient = joined(grad_users, grad_items);
    return loss(0, batch);
  }

  double l2(const Values& both, std::int64_t batch, Values* gradient) {
    Matrix grad_users = backend_.allocate(kUsers, kWidth);
    Matrix grad_items = backend_.allocate(kItems, kWidth);
    backend_.l2_penalty(triplets_, 0.7, users_of(both), items_of(both), grad_users, grad_items,
                        losses_);
    if (gradient != nullptr) *gradient = joined(grad_users, grad_items);
    return loss(1, batch);
  }

  /// 1/(L+1) Σ_{l <= L} Âˡ E by Horner's rule: E + Â(E + Â(E + ...)). Â is symmetric, so this is
  /// both the forward pass and, applied to gradients, the backward pass.
  Values propagate_chain(const Values& both, int layers) {
    const Matrix user_addend = users_of(both);
    const Matrix item_addend = items_of(both);
    Matrix users = users_of(both);
    Matrix items = items_of(both);
    for (int layer = 1; layer <= layers; ++layer) {
      const double scale = layer == layers ? 1.0 / (layers + 1) : 1.0;
      Matrix next_users = backend_.allocate(kUsers, kWidth);
      Matrix next_items = backend_.allocate(kItems, kWidth);
      backend_.propagate(graph_, Side::kUser, items, next_users,
                         {.addend = &user_addend, .scale = scale});
      backend_.propagate(graph_, Side::kItem, users, next_items,
                         {.addend = &item_addend, .scale = scale});
      users = std::move(next_users);
      items = std::move(next_items);
    }
    return joined(users, items);
  }

  static constexpr NodeId kUsers = 5;
  static constexpr NodeId kItems = 6;
  static constexpr std::int64_t kSize = (kUsers + kItems) * kWidth;
  std::unique_ptr<Backend> owned_;
  Backend& backend_;
  Graph graph_;
  Triplets triplets_;
  Matrix losses_;
};

TEST_F(Gradient, OfBpr) {
  ASSERT_EQ(triplets_.num_batches(), 2);
  for (std::int64_t batch = 0; batch < 2; ++batch) {
    for (const double scale : {0.1, 1.0, 5.0}) {
      const Values both = random_values(kSize, 2, scale);
      Values gradient;
      bpr(both, batch, &gradient);
      const auto numeric =
          central_differences(both, [&](const Values& x) { return bpr(x, batch, nullptr); });
      expect_close(gradient, numeric, 1e-8 * scale);
    }
    backend_.next_batch(triplets_);
  }
}

TEST_F(Gradient, OfL2Penalty) {
  for (std::int64_t batch = 0; batch < 2; ++batch) {
    const Values both = random_values(kSize, 3);
    Values gradient;
    l2(both, batch, &gradient);
    const auto numeric =
        central_differences(both, [&](const Values& x) { return l2(x, batch, nullptr); });
    expect_close(gradient, numeric, 1e-8);
    backend_.next_batch(triplets_);
  }
}

TEST_F(Gradient, OfPropagationIsPropagation) {
  // f(E) = <C, propagate(E)> is linear: central differences are exact but for rounding.
  const Values weights = random_values(kSize, 4);
  for (const int layers : {1, 2, 3}) {
    const auto numeric = central_differences(random_values(kSize, 5), [&](const Values& x) {
      const Values y = propagate_chain(x, layers);
      double sum = 0;
      for (std::size_t i = 0; i < y.size(); ++i) sum += weights[i] * y[i];
      return sum;
    });
    expect_close(propagate_chain(weights, layers), numeric, 1e-9);
  }
}

TEST_F(Gradient, OfTheWholeChain) {
  // LightGCN: layer-0 embeddings, propagation, BPR; back through the propagation, plus L2.
  for (const int layers : {1, 2, 3}) {
    for (std::int64_t batch = 0; batch < 2; ++batch) {
      const Values layer0 = random_values(kSize, 6);
      Values gradient;
      bpr(propagate_chain(layer0, layers), batch, &gradient);
      gradient = propagate_chain(gradient, layers);
      Values of_penalty;
      l2(layer0, batch, &of_penalty);
      for (std::size_t i = 0; i < gradient.size(); ++i) gradient[i] += of_penalty[i];
      const auto numeric = central_differences(layer0, [&](const Values& x) {
        return bpr(propagate_chain(x, layers), batch, nullptr) + l2(x, batch, nullptr);
      });
      expect_close(gradient, numeric, 1e-8);
      backend_.next_batch(triplets_);
    }
  }
}

TEST_F(Gradient, OfTheWholeChainOnlyNeedsTheBatchsRows) {
  // Forward to the batch's rows only and backward from them only, as the models do, gives the same
  // gradient as computing every row. The short last batch leaves some rows out.
  backend_.next_batch(triplets_);
  const std::vector<bool> reached = members(backend_, triplets_.rows(Side::kUser));
  ASSERT_LT(std::count(reached.begin(), reached.end(), true), kUsers);
  const Values layer0 = random_values(kSize, 7);
  const RowSet& batch_users = triplets_.rows(Side::kUser);
  const RowSet& batch_items = triplets_.rows(Side::kItem);
  const Matrix users0 = users_of(layer0);
  const Matrix items0 = items_of(layer0);
  Matrix users = make_poisoned(backend_, kUsers, kWidth);
  Matrix items = make_poisoned(backend_, kItems, kWidth);
  backend_.propagate(graph_, Side::kUser, items0, users,
                     {.to = &batch_users, .addend = &users0, .scale = 0.5});
  backend_.propagate(graph_, Side::kItem, users0, items,
                     {.to = &batch_items, .addend = &items0, .scale = 0.5});
  Matrix grad_users = make_poisoned(backend_, kUsers, kWidth);
  Matrix grad_items = make_poisoned(backend_, kItems, kWidth);
  backend_.bpr(triplets_, users, items, grad_users, grad_items, losses_);
  Matrix grad_users0 = make_poisoned(backend_, kUsers, kWidth);
  Matrix grad_items0 = make_poisoned(backend_, kItems, kWidth);
  backend_.propagate(
      graph_, Side::kUser, grad_items, grad_users0,
      {.from = &batch_items, .addend = &grad_users, .addend_rows = &batch_users, .scale = 0.5});
  backend_.propagate(
      graph_, Side::kItem, grad_users, grad_items0,
      {.from = &batch_users, .addend = &grad_items, .addend_rows = &batch_items, .scale = 0.5});
  const auto numeric = central_differences(
      layer0, [&](const Values& x) { return bpr(propagate_chain(x, 1), 1, nullptr); });
  expect_close(joined(grad_users0, grad_items0), numeric, 1e-8);
}

}  // namespace
}  // namespace tern::test
