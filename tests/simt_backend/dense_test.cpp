// Guarantees of dense layers and dropout besides their results: padding that stays zero, recorded
// steps, workspaces that grow, a library without epilogues, more rows than one call takes, and the
// same bits on every device.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cuda/backend.hpp"
#include "cuda/support/matmul.hpp"
#include "simt/runtime/device.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tests/simt_backend/simt_backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/dense_layers.hpp"
#include "tests/support/dense_oracle.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {
namespace {

using Outputs = std::map<std::string, Values>;
constexpr double kEpsilon = 0x1p-24;

LayerShape two_sums(std::int64_t rows, std::int64_t cols) {
  return {.rows = rows,
          .cols = cols,
          .inner = {.widths = {7}, .bias = true},
          .outer = {.widths = {5, 3}, .addend = true, .bias = true}};
}

Outputs both_passes(LoadedLayer& layer) {
  layer.forward(DenseMode::kTraining);
  layer.backward(layer.gradients());
  return layer.outputs();
}

TEST(SimtDense, MatchesTheFormulasAtEveryEdgeOfItsGrid) {
  const auto backend = make_simt_backend();
  struct Size {
    std::int64_t rows;
    std::int64_t cols;
  };
  // Stretches of 64 rows, four at once; lanes of powers of two, tiles of 128 columns.
  for (const auto& [rows, cols] :
       {Size{2, 1}, Size{3, 4}, Size{63, 5}, Size{64, 8}, Size{65, 9}, Size{127, 128},
        Size{130, 129}, Size{257, 300}, Size{1024, 17}, Size{4100, 2}, Size{5000, 33}}) {
    for (LayerShape shape :
         {two_sums(rows, cols),
          LayerShape{.rows = rows, .cols = cols, .inner = {.widths = {4}, .bias = true}}}) {
      SCOPED_TRACE(shape.describe());
      const LayerValues values = random_layer(shape, 3);
      LoadedLayer layer(*backend, shape, values);
      EXPECT_TRUE(matches(both_passes(layer),
                          expect_layer(shape, values, DenseMode::kTraining, kEpsilon, layer.add),
                          kEpsilon));
    }
  }
}

/// Whether the padding of every row is zero.
bool padding_is_zero(const Matrix& matrix) {
  const MatrixView<float> v = cuda::view(matrix);
  for (std::int64_t r = 0; r < v.rows; ++r) {
    for (std::int64_t c = v.cols; c < v.stride; ++c) {
      if (v(r, c) != 0.0F) return false;
    }
  }
  return true;
}

TEST(SimtDense, PaddingStaysZero) {
  for (const SimtOptions& form : {kPlainSimt, kLateSimt}) {
    const auto backend = make_simt_backend(form);
    for (const std::int64_t cols : {1, 2, 5, 31}) {
      for (const bool normalized : {false, true}) {
        LayerShape shape = two_sums(300, cols);
        shape.batch_norm = normalized;
        LoadedLayer layer(*backend, shape, random_layer(shape, 1));
        layer.forward(DenseMode::kEvaluation);
        both_passes(layer);
        const Counter step = backend->make_counter(3);
        Matrix dropped = make_matrix(*backend, 300, cols, random_values(300 * cols, 2));
        backend->dropout({.probability = 0.3}, step, dropped);
        backend->dropout({.probability = 0.3, .unit = DropoutOptions::Unit::kRow}, step, dropped);
        Matrix sum = backend->allocate(300, cols);
        backend->perturb({.magnitude = 0.3}, step, dropped, nullptr, {.sum = &sum, .weight = 0.5});
        Matrix units = backend->allocate(300, cols);
        backend->normalize_rows(dropped, units, {.sum = &sum});
        Matrix gradient = make_matrix(*backend, 300, cols, random_values(300 * cols, 3));
        backend->normalize_rows_backward(dropped, gradient, gradient, {.matrix = &sum});
        backend->synchronize();
        EXPECT_TRUE(padding_is_zero(units));
        EXPECT_TRUE(padding_is_zero(gradient));
        EXPECT_TRUE(padding_is_zero(sum));
        EXPECT_TRUE(padding_is_zero(dropped));
        EXPECT_TRUE(padding_is_zero(layer.z)) << cols;
        for (const SumMatrices* sum : {&layer.grad_inner, &layer.grad_outer}) {
          for (const Matrix& weight : sum->weights) EXPECT_TRUE(padding_is_zero(weight)) << cols;
          for (const Matrix& input : sum->inputs) EXPECT_TRUE(padding_is_zero(input)) << cols;
          EXPECT_TRUE(padding_is_zero(sum->bias)) << cols;
        }
        EXPECT_TRUE(padding_is_zero(layer.grad_outer.addend)) << cols;
        if (!normalized) continue;
        for (const Matrix* row :
             {&layer.running_mean, &layer.running_variance, &layer.grad_scale, &layer.grad_shift}) {
          EXPECT_TRUE(padding_is_zero(*row)) << cols;
        }
      }
    }
  }
}

TEST(SimtDense, GivesTheSameBitsOnEveryDevice) {
  for (const LayerShape& shape :
       {two_sums(700, 37), LayerShape{.rows = 1500, .cols = 3, .inner = {.widths = {9}}}}) {
    const LayerValues values = random_layer(shape, 4);
    const auto plain = make_simt_backend(kPlainSimt);
    const auto late = make_simt_backend(kLateSimt);
    LoadedLayer once(*plain, shape, values);
    LoadedLayer again(*late, shape, values);
    const Outputs expected = both_passes(once);
    for (const auto& [name, actual] : both_passes(again)) {
      EXPECT_TRUE(same_bits(actual, expected.at(name))) << name;
    }
  }
}

TEST(SimtDenseRecording, ReplaysWithChangedInputs) {
  for (const SimtOptions& form : {kPlainSimt, kLateSimt}) {
    const auto backend = make_simt_backend(form);
    const LayerShape shape = two_sums(600, 21);
    LoadedLayer layer(*backend, shape, random_layer(shape, 1));
    Counter step = backend->make_counter();
    const auto recording = backend->record([&] {
      backend->increment(step);
      backend->dropout({.probability = 0.25, .seed = Seed{5}}, step, layer.grad_z);
      const DenseLayer description = layer.layer();
      backend->linear_relu_batchnorm(description, DenseMode::kTraining, layer.state, layer.z);
      backend->linear_relu_batchnorm_backward(description, layer.state, layer.grad_z,
                                              layer.gradients());
    });
    for (int replay = 1; replay <= 4; ++replay) {
      const LayerValues values = random_layer(shape, 10 + replay);
      LoadedLayer expected(*backend, shape, values);
      backend->copy(expected.inner.inputs[0], layer.inner.inputs[0]);
      backend->copy(expected.inner.weights[0], layer.inner.weights[0]);
      backend->copy(expected.inner.bias, layer.inner.bias);
      for (std::size_t t = 0; t < 2; ++t) {
        backend->copy(expected.outer.inputs[t], layer.outer.inputs[t]);
        backend->copy(expected.outer.weights[t], layer.outer.weights[t]);
      }
      backend->copy(expected.outer.addend, layer.outer.addend);
      backend->copy(expected.outer.bias, layer.outer.bias);
      backend->copy(expected.scale, layer.scale);
      backend->copy(expected.shift, layer.shift);
      backend->copy(expected.running_mean, layer.running_mean);
      backend->copy(expected.running_variance, layer.running_variance);
      backend->copy(expected.grad_z, layer.grad_z);
      backend->fill(layer.z, NAN);
      layer.poison_gradients();
      recording->replay();
      const Outputs actual = layer.outputs();
      const Counter here = backend->make_counter(replay);
      backend->dropout({.probability = 0.25, .seed = Seed{5}}, here, expected.grad_z);
      for (const auto& [name, right] : both_passes(expected)) {
        EXPECT_TRUE(same_bits(actual.at(name), right)) << name << ", replay " << replay;
      }
    }
  }
}

TEST(SimtDenseRecording, OutlivesWorkspacesThatGrow) {
  const auto backend = make_simt_backend();
  const LayerShape small = two_sums(300, 6);
  LoadedLayer layer(*backend, small, random_layer(small, 1));
  const auto recording = backend->record([&] {
    const DenseLayer description = layer.layer();
    backend->linear_relu_batchnorm(description, DenseMode::kTraining, layer.state, layer.z);
    backend->linear_relu_batchnorm_backward(description, layer.state, layer.grad_z,
                                            layer.gradients());
  });
  recording->replay();
  recording->replay();
  const Outputs expected = layer.outputs();
  const LayerShape large = two_sums(2000, 70);
  const LayerValues values = random_layer(large, 2);
  LoadedLayer other(*backend, large, values);
  EXPECT_TRUE(matches(both_passes(other),
                      expect_layer(large, values, DenseMode::kTraining, kEpsilon, other.add),
                      kEpsilon));
  backend->fill(layer.z, NAN);
  layer.poison_gradients();
  recording->replay();
  const Outputs again = layer.outputs();
  for (const auto& [name, right] : expected) {
    if (name.starts_with("running")) continue;  // updated by each forward pass
    EXPECT_TRUE(same_bits(again.at(name), right)) << name;
  }
}

TEST(SimtDenseRecording, RefusesOtherSizesWhileItCaptures) {
  const LayerShape small = two_sums(300, 6);
  const LayerShape large = two_sums(400, 9);
  // More rows without products; and products alone.
  const LayerShape short_addend{
      .rows = 40, .cols = 8, .inner = {.addend = true}, .outer = {.bias = true}};
  const LayerShape long_addend{
      .rows = 400, .cols = 8, .inner = {.addend = true}, .outer = {.bias = true}};
  const auto map_of = [](std::int64_t width) {
    return LayerShape{.rows = 50,
                      .cols = 6,
                      .inner = {.widths = {width}},
                      .activation = Activation::kNone,
                      .batch_norm = false};
  };
  for (const auto& [first, second] : {std::pair(small, large), std::pair(short_addend, long_addend),
                                      std::pair(map_of(7), map_of(5))}) {
    const auto backend = make_simt_backend();
    LoadedLayer a(*backend, first, random_layer(first, 1));
    LoadedLayer b(*backend, second, random_layer(second, 2));
    LoadedLayer* current = &a;
    const auto recording = backend->record([&] {
      const DenseLayer description = current->layer();
      backend->linear_relu_batchnorm(description, DenseMode::kTraining, current->state, current->z);
    });
    recording->replay();
    current = &b;
    EXPECT_THROW(recording->replay(), ShapeError);
    const LayerValues values = random_layer(second, 2);
    EXPECT_TRUE(matches(both_passes(b),
                        expect_layer(second, values, DenseMode::kTraining, kEpsilon, b.add),
                        kEpsilon))
        << "the backend goes on";
  }
}

TEST(SimtDenseRecording, RefusesToMakeAState) {
  const auto backend = make_simt_backend();
  const auto recording = backend->record([&] { backend->make_dense_state(2, 2); });
  EXPECT_THROW(recording->replay(), ShapeError);
}

TEST(SimtDense, AClosedInnerActivationStaysClosedBesideNaN) {
  const LayerShape shape{.rows = 3,
                         .cols = 2,
                         .inner = {.addend = true},
                         .outer = {.addend = true},
                         .batch_norm = false};
  LayerValues values = random_layer(shape, 1);
  values.inner.addend = {-1, 2, -3, 4, 0, 5};
  values.outer.addend = {NAN, NAN, 7, -9, NAN, -5};
  values.grad_z = {1, 2, 3, 4, 5, 6};
  const auto backend = make_simt_backend();
  LoadedLayer layer(*backend, shape, values);
  const Outputs outputs = both_passes(layer);
  EXPECT_TRUE(same_bits(outputs.at("z"), {NAN, NAN, 7, 0, NAN, 0}));
  EXPECT_TRUE(same_bits(outputs.at("gradient of addend of the outer sum"), {1, 2, 3, 0, 5, 0}));
  EXPECT_TRUE(same_bits(outputs.at("gradient of addend of the inner sum"), {0, 2, 0, 0, 0, 0}));
}

TEST(SimtDense, DoesWithoutEpilogues) {
  const LayerShape shape{.rows = 70,
                         .cols = 5,
                         .inner = {.widths = {3, 4}, .addend = true, .bias = true},
                         .activation = Activation::kNone,
                         .batch_norm = false};
  const LayerValues values = random_layer(shape, 6);
  for (const bool epilogues : {true, false}) {
    simt::set_devices({{.matmul_epilogues = epilogues}});
    cuda::CudaBackend backend({});
    LoadedLayer layer(backend, shape, values);
    EXPECT_TRUE(matches(both_passes(layer),
                        expect_layer(shape, values, DenseMode::kTraining, kEpsilon, layer.add),
                        kEpsilon))
        << epilogues;
  }
}

TEST(SimtDense, CutsMoreRowsThanTheLibraryTakes) {
  const LayerShape shape{.rows = cuda::Matmul::kMaxRows + 70,
                         .cols = 1,
                         .inner = {.widths = {1}, .addend = true, .bias = true},
                         .activation = Activation::kNone,
                         .batch_norm = false};
  const LayerValues values = random_layer(shape, 6);
  const auto backend = make_simt_backend();
  LoadedLayer layer(*backend, shape, values);
  EXPECT_TRUE(matches(both_passes(layer),
                      expect_layer(shape, values, DenseMode::kTraining, kEpsilon, layer.add),
                      kEpsilon));
}

TEST(SimtDense, GivesItsMemoryBack) {
  simt::set_devices({{.memory_bytes = std::size_t{100} << 20}});
  const auto free_bytes = [] {
    std::size_t free = 0;
    std::size_t total = 0;
    EXPECT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
    return free;
  };
  const std::size_t before = free_bytes();
  {
    cuda::CudaBackend backend({});
    for (const LayerShape& shape : {two_sums(300, 6), two_sums(700, 20)}) {
      LoadedLayer layer(backend, shape, random_layer(shape, 1));
      both_passes(layer);
    }
    EXPECT_LT(free_bytes(), before);
  }
  EXPECT_EQ(free_bytes(), before);
}

TEST(SimtDropout, DrawsWhatTheReferenceDraws) {
  const auto reference = make_reference_backend();
  for (const SimtOptions& form : {kPlainSimt, kLateSimt}) {
    const auto backend = make_simt_backend(form);
    for (const std::int64_t cols : {1, 3, 4, 64, 65, 131}) {
      for (const auto unit : {DropoutOptions::Unit::kElement, DropoutOptions::Unit::kRow}) {
        const DropoutOptions options{
            .probability = 0.4, .unit = unit, .seed = Seed{9}, .place = 300};
        const Values values = random_values(150 * cols, 5);
        Values kept[2];
        for (Backend* each : {reference.get(), backend.get()}) {
          Matrix matrix = make_matrix(*each, 150, cols, values);
          each->dropout(options, each->make_counter(41), matrix);
          for (const double value : values_of(*each, matrix)) {
            kept[each == backend.get()].push_back(value == 0 ? 0 : 1);
          }
        }
        EXPECT_TRUE(same_bits(kept[1], kept[0])) << cols;
      }
    }
  }
}

}  // namespace
}  // namespace tern::test
