#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/backends.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/dense_oracle.hpp"

// The dense layer in every form and size, against the formulas in f64.
namespace tern::test {
namespace {

using Write = DenseTermGradients::Write;

/// Form k of a layer: 0 to 3 terms a sum, with and without each other part. k is a number in a
/// mixed radix, so that any run of consecutive forms has every value of every choice.
LayerShape form(std::int64_t k, std::int64_t rows, std::int64_t cols,
                const std::vector<std::int64_t>& widths) {
  const auto next = [&k](std::int64_t choices) {
    const std::int64_t digit = k % choices;
    k /= choices;
    return digit;
  };
  const auto sum = [&](std::int64_t terms, std::int64_t rest) {
    return SumShape{.widths = {widths.begin(), widths.begin() + terms},
                    .addend = (rest & 1) != 0,
                    .bias = (rest & 2) != 0};
  };
  LayerShape shape{.rows = rows, .cols = cols, .inner = {}};
  shape.batch_norm = next(2) == 0 && rows > 1;
  const std::int64_t inner = next(4);
  const std::int64_t outer = next(4);
  shape.activation = next(5) == 0 ? Activation::kNone : Activation::kRelu;
  shape.inner = sum(inner, next(4));
  shape.outer = sum(outer, next(4));
  if (shape.inner.empty()) shape.inner.addend = true;
  return shape;
}
constexpr std::int64_t kForms = std::int64_t{2} * 4 * 4 * 5 * 4 * 4;

class LinearReluBatchnormBattery : public BackendTest {
 protected:
  void check(const LayerShape& shape, Write add = Write::kOverwrite) {
    if (shape.work() > GetParam().budget) return;
    const LayerValues values = random_layer(shape, 1);
    LoadedLayer loaded(backend_, shape, values);
    loaded.add = add;
    loaded.poison_gradients();
    loaded.forward(DenseMode::kTraining);
    loaded.backward(loaded.gradients());
    EXPECT_TRUE(matches(loaded.outputs(),
                        expect_layer(shape, values, DenseMode::kTraining, epsilon(), add),
                        epsilon()))
        << shape.describe() << ", training";
    LoadedLayer evaluated(backend_, shape, values);
    evaluated.forward(DenseMode::kEvaluation);
    EXPECT_TRUE(matches(evaluated.outputs(),
                        expect_layer(shape, values, DenseMode::kEvaluation, epsilon(), add),
                        epsilon()))
        << shape.describe() << ", evaluation";
  }
};

TEST_P(LinearReluBatchnormBattery, MatchesTheFormulasInEveryForm) {
  constexpr std::int64_t kTried = 96;
  for (std::int64_t i = 0; i < kTried; ++i) {
    const Write add = i % 3 == 0 ? Write::kAdd : Write::kOverwrite;
    check(form(i * kForms / kTried + i % 32, 21 + i % 7, 1 + i % 18, {3, 1, 5}), add);
  }
}

TEST_P(LinearReluBatchnormBattery, MatchesTheFormulasForAnyNumberOfRows) {
  std::int64_t k = 0;
  for (const std::int64_t rows :
       {1,   2,   3,   5,   16,  31,   32,   33,   64,   127,  128,  129,  255, 256,
        257, 511, 512, 513, 777, 1023, 1024, 1025, 1536, 2047, 2049, 3000, 5000}) {
    LayerShape shape{.rows = rows,
                     .cols = 7,
                     .inner = {.widths = {5}, .bias = true},
                     .outer = {.widths = {4}, .bias = true}};
    shape.batch_norm = rows > 1;
    check(shape);
    check(form(k++ * 37, rows, 3, {2, 3, 1}), Write::kAdd);
  }
}

TEST_P(LinearReluBatchnormBattery, MatchesTheFormulasForAnyWidth) {
  std::int64_t k = 5;
  for (const std::int64_t cols : {1,  2,  3,  4,   8,   15,  16,  17,  31,  32,  33,  48,
                                  63, 64, 65, 100, 127, 128, 129, 200, 255, 256, 257, 300}) {
    check({.rows = 67,
           .cols = cols,
           .inner = {.widths = {6}, .bias = true},
           .outer = {.widths = {3}, .addend = true, .bias = true}});
    check(form(k++ * 41, 40, cols, {2, 9, 4}));
  }
}

TEST_P(LinearReluBatchnormBattery, MatchesTheFormulasForAnyInput) {
  std::int64_t k = 9;
  for (const std::int64_t width : {0, 1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 65, 100, 128, 200, 320}) {
    check({.rows = 70,
           .cols = 9,
           .inner = {.widths = {width}, .bias = true},
           .outer = {.widths = {width}, .bias = true}});
    check(form(k++ * 43, 35, 18, {width, 320 - width, 0}));
  }
}

TEST_P(LinearReluBatchnormBattery, MatchesTheFormulasForLargeLayers) {
  const SumShape addend{.widths = {}, .addend = true};
  check({.rows = 5000, .cols = 300, .inner = addend});
  check({.rows = 5000, .cols = 200, .inner = addend, .outer = addend});
  check({.rows = 5000, .cols = 1, .inner = {.widths = {320}, .bias = true}});
  check({.rows = 5000, .cols = 33, .inner = {.widths = {8}}, .outer = {.widths = {3}}});
  check({.rows = 2, .cols = 300, .inner = {.widths = {320}, .bias = true}, .outer = addend});
  check({.rows = 400, .cols = 257, .inner = {.widths = {17}, .bias = true}, .outer = addend});
  check({.rows = 2500, .cols = 64, .inner = {.widths = {64}}, .outer = {.widths = {64}}});
}

TEST_P(LinearReluBatchnormBattery, AreRefusedWithOneWrongElement) {
  // The checker must see an error of a thousandth of the largest element, anywhere in any output,
  // and a missing name.
  const LayerShape shape{.rows = 60,
                         .cols = 6,
                         .inner = {.widths = {3, 2}, .addend = true, .bias = true},
                         .outer = {.widths = {2}, .addend = true, .bias = true}};
  const LayerValues values = random_layer(shape, 1);
  LoadedLayer loaded(backend_, shape, values);
  loaded.forward(DenseMode::kTraining);
  loaded.backward(loaded.gradients());
  const auto expected =
      expect_layer(shape, values, DenseMode::kTraining, epsilon(), Write::kOverwrite);
  const auto outputs = loaded.outputs();
  ASSERT_TRUE(matches(outputs, expected, epsilon()));
  ASSERT_EQ(outputs.size(), expected.size());
  for (const auto& [name, right] : outputs) {
    double most = 0;
    for (const double value : right) most = std::max(most, std::abs(value));
    for (const std::size_t at : {std::size_t{0}, right.size() / 2, right.size() - 1}) {
      auto wrong = outputs;
      wrong[name][at] += 1e-3 * most;
      EXPECT_FALSE(matches(wrong, expected, epsilon())) << name << ", element " << at;
    }
    auto missing = outputs;
    missing.erase(name);
    EXPECT_FALSE(matches(missing, expected, epsilon())) << name;
  }
}

/// Runs both passes without some of the outputs.
std::map<std::string, Values> run(Backend& backend, const LayerShape& shape,
                                  const std::function<void(DenseGradients&)>& leave_out) {
  LoadedLayer loaded(backend, shape, random_layer(shape, 2));
  loaded.poison_gradients();
  loaded.forward(DenseMode::kTraining);
  DenseGradients wanted = loaded.gradients();
  leave_out(wanted);
  loaded.backward(wanted);
  return loaded.outputs();
}

LayerShape whole_shape() {
  return {.rows = 600,
          .cols = 19,
          .inner = {.widths = {3, 4}, .addend = true, .bias = true},
          .outer = {.widths = {5, 2}, .addend = true, .bias = true}};
}

TEST_P(LinearReluBatchnormBattery, ComputesAnyGradientWithoutTheOthers) {
  using Leave = std::function<void(DenseGradients&)>;
  std::map<std::string, Leave> all;
  for (const bool inner : {true, false}) {
    const auto sum = [inner](DenseGradients& g) -> DenseSumGradients& {
      return inner ? g.inner : g.outer;
    };
    const std::string of = inner ? " of the inner sum" : " of the outer sum";
    for (std::size_t t = 0; t < 2; ++t) {
      const std::string term = fmt::format(" {}{}", t, of);
      all["gradient of input" + term] = [=](auto& g) { sum(g).terms[t].input = nullptr; };
      all["gradient of weight" + term] = [=](auto& g) { sum(g).terms[t].weight = nullptr; };
    }
    all["gradient of addend" + of] = [=](auto& g) { sum(g).addend = nullptr; };
    all["gradient of bias" + of] = [=](auto& g) { sum(g).bias = nullptr; };
  }
  all["gradient of scale"] = [](auto& g) { g.scale = nullptr; };
  all["gradient of shift"] = [](auto& g) { g.shift = nullptr; };

  const auto expected = run(backend_, whole_shape(), [](auto&) {});
  const auto unwanted_keep_poison = [&](const std::map<std::string, Values>& found,
                                        const auto& is_wanted, const std::string& where) {
    for (const auto& [name, values] : found) {
      if (is_wanted(name)) {
        EXPECT_TRUE(same_bits(values, expected.at(name))) << name << where;
      } else {
        EXPECT_TRUE(same_bits(values, Values(values.size(), std::nan("")))) << name << where;
      }
    }
  };
  for (const auto& [name, leave_out] : all) {
    unwanted_keep_poison(
        run(backend_, whole_shape(), leave_out),
        [&](const std::string& other) { return other != name; }, ", without " + name);
    const auto alone = run(backend_, whole_shape(), [&](DenseGradients& wanted) {
      for (const auto& [other, leave_other_out] : all) {
        if (other != name) leave_other_out(wanted);
      }
    });
    unwanted_keep_poison(
        alone, [&](const std::string& other) { return other == name || !all.contains(other); },
        ", " + name + " alone");
  }
}

TEST_P(LinearReluBatchnormBattery, NeedsNoListOfTermsWhereNoneIsWanted) {
  const auto expected = run(backend_, whole_shape(), [](auto&) {});
  const auto found = run(backend_, whole_shape(), [](DenseGradients& wanted) {
    wanted.inner.terms.clear();
    wanted.outer = {};
  });
  for (const char* name : {"gradient of bias of the inner sum", "gradient of scale",
                           "gradient of addend of the inner sum", "gradient of shift"}) {
    EXPECT_TRUE(same_bits(found.at(name), expected.at(name))) << name;
  }
  EXPECT_TRUE(std::isnan(found.at("gradient of input 1 of the inner sum")[0]));
  EXPECT_TRUE(std::isnan(found.at("gradient of bias of the outer sum")[0]));
}

TEST_P(LinearReluBatchnormBattery, RepeatsBitForBitWhateverTheStateHeld) {
  const LayerShape shape = whole_shape();
  const auto expected = run(backend_, shape, [](auto&) {});
  LoadedLayer loaded(backend_, shape, random_layer(shape, 2));
  // Another layer's passes, wider and then narrower ones, and one whose values are all NaN.
  LayerShape other = shape;
  other.inner.widths = {30};
  other.outer = {};
  LayerValues values = random_layer(other, 3);
  for (const bool poisoned : {false, true}) {
    if (poisoned) values.inner.addend.assign(values.inner.addend.size(), std::nan(""));
    LoadedLayer stranger(backend_, other, values);
    std::swap(stranger.state, loaded.state);
    stranger.forward(DenseMode::kTraining);
    stranger.backward(stranger.gradients());
    stranger.forward(DenseMode::kEvaluation);
    std::swap(stranger.state, loaded.state);
  }
  loaded.poison_gradients();
  loaded.forward(DenseMode::kTraining);
  loaded.backward(loaded.gradients());
  for (const auto& [name, found] : loaded.outputs()) {
    EXPECT_TRUE(same_bits(found, expected.at(name))) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, LinearReluBatchnormBattery,
                         testing::ValuesIn(backends_under_test()), backend_name);

TEST(LinearReluBatchnormDeterminism, OneFamilyGivesOneResult) {
  const std::vector<LayerShape> shapes{
      {.rows = 5000,
       .cols = 33,
       .inner = {.widths = {8}, .bias = true},
       .outer = {.widths = {5}, .addend = true, .bias = true}},
      {.rows = 1300, .cols = 100, .inner = {.widths = {7, 4}, .addend = true}},
      {.rows = 3, .cols = 5, .inner = {.widths = {2}, .bias = true}, .batch_norm = false}};
  for (const LayerShape& shape : shapes) {
    std::map<std::string, std::pair<std::string, std::map<std::string, Values>>> families;
    for (const BackendCase& backend : backends_under_test()) {
      const auto found = run(*backend.make(), shape, [](auto&) {});
      const auto [first, is_new] = families.try_emplace(backend.family, backend.name, found);
      if (is_new) continue;
      for (const auto& [name, values] : found) {
        EXPECT_TRUE(same_bits(values, first->second.second.at(name)))
            << name << " of " << backend.name << " against " << first->second.first << " on "
            << shape.describe();
      }
    }
  }
}

}  // namespace
}  // namespace tern::test
