// Kernels on rows, slots and edges so far out that their addresses need more than 32 bits: arrays
// hold a few elements, and kernels get the address where element 0 would be.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "cuda/ops/adam.hpp"
#include "cuda/ops/bpr.hpp"
#include "cuda/ops/in_batch_softmax.hpp"
#include "cuda/ops/l2_penalty.hpp"
#include "cuda/ops/propagate.hpp"
#include "cuda/ops/sampled_contrast.hpp"
#include "cuda/ops/sgd.hpp"
#include "simt/buffer.hpp"
#include "tests/simt_backend/device_queue.hpp"
#include "tests/simt_backend/far.hpp"

namespace tern::cuda {
namespace {

using test::DeviceQueue;
using test::Far;

/// Rows so far out that row · kStride exceeds 2³², and edge numbers that exceed 2³² by themselves.
constexpr NodeId kRow = (1 << 30) + 5;
constexpr std::int64_t kStride = 8;
constexpr EdgeOffset kEdge = (EdgeOffset{1} << 33) + 3;
constexpr float kPoison = NAN;

std::vector<float> counting(std::int64_t size, float first = 1) {
  std::vector<float> values(static_cast<std::size_t>(size));
  std::iota(values.begin(), values.end(), first);
  return values;
}

/// A set of `count` rows from kRow on; all its arrays are far.
struct FarRows {
  explicit FarRows(std::int64_t count)
      : marks(kRow, std::vector<std::uint8_t>(static_cast<std::size_t>(count), 1)),
        rows(kEdge, ids(count)),
        span(std::span<const RowSpan>(std::vector<RowSpan>{{kEdge, count}})),
        view{rows.data(), span.data(), marks.data(), count} {}

  static std::vector<NodeId> ids(std::int64_t count) {
    std::vector<NodeId> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), kRow);
    return all;
  }

  Far<std::uint8_t> marks;
  Far<NodeId> rows;
  simt::Buffer<RowSpan> span;
  RowsView view;
};

/// The values and a row of zeros in bf16, exactly.
std::vector<Bf16> copied(const std::vector<float>& values, std::int64_t stride) {
  std::vector<Bf16> copy;
  for (const float value : values) copy.push_back(to_bf16(value));
  copy.resize(values.size() + static_cast<std::size_t>(stride), 0);
  return copy;
}

/// y(row) = 2 · (to · Σ from · x + addend) of one row with `degree` neighbours, all of them far. With
/// copies x is read from its copy alone, and y is also written to its own.
void propagate_one_row(std::int64_t degree, std::int64_t stride, bool with_copies = false) {
  const std::int64_t sources = 3;
  std::vector<NodeId> columns(static_cast<std::size_t>(degree));
  for (std::int64_t e = 0; e < degree; ++e) columns[e] = static_cast<NodeId>(kRow + e % sources);
  Far<EdgeOffset> offsets(kRow, {kEdge, kEdge + degree});
  Far<NodeId> far_columns(kEdge, columns);
  Far<float> to_scale(kRow, {0.5F});
  Far<float> from_scale(kRow, {1, 2, 4});
  Far<float> x(kRow * stride, counting(sources * stride));
  Far<float> y(kRow * stride, std::vector<float>(stride, kPoison));
  Far<float> addend(kRow * stride, counting(stride));
  Far<Bf16> x_copy(kRow * stride, copied(counting(sources * stride), stride));
  Far<Bf16> y_copy(kRow * stride, std::vector<Bf16>(stride, 0));
  const auto copy_of = [&](Far<Bf16>& copy) {
    return with_copies ? GatherCopyView{copy.data(), static_cast<std::int32_t>(stride / kCopyUnit)}
                       : GatherCopyView{};
  };
  FarRows rows(1);

  // Segments as cut_rows makes them, but with their slots far out.
  constexpr std::int32_t kSlot = (1 << 30) + 7;
  std::vector<RowSegment> segments;
  std::vector<SplitRow> split;
  const EdgeOffset size = segment_size(degree);
  const std::int64_t count = segments_of_row(degree);
  for (std::int64_t s = 0; s < count; ++s) {
    const EdgeOffset begin = kEdge + s * size;
    const EdgeOffset end = std::min(begin + size, kEdge + degree);
    segments.push_back({kRow, kSlot + static_cast<std::int32_t>(s), 0,
                        static_cast<std::int32_t>(end - begin), begin});
  }
  if (count > 0) split.push_back({kRow, kSlot, static_cast<std::int32_t>(count)});
  simt::Buffer<RowSegment> device_segments{std::span<const RowSegment>(segments)};
  simt::Buffer<SplitRow> device_split{std::span<const SplitRow>(split)};
  Far<float> partials(kSlot * stride,
                      std::vector<float>(std::max<std::int64_t>(count, 1) * stride));

  const MatrixView<const float> from{with_copies ? nullptr : x.data(), kRow + sources, stride,
                                     stride};
  launch_propagate(DeviceQueue(),
                   {.csr = {offsets.data(), far_columns.data(), kRow + 1, kRow + sources},
                    .to_scale = to_scale.data(),
                    .from_scale = from_scale.data(),
                    .x = from,
                    .y = {y.data(), kRow + 1, stride, stride},
                    .x_copy = copy_of(x_copy),
                    .y_copy = copy_of(y_copy),
                    .to = rows.view,
                    .addend = addend.data(),
                    .scale = 2.0F,
                    .segments = device_segments.data(),
                    .num_segments = static_cast<std::int32_t>(segments.size()),
                    .split = device_split.data(),
                    .partials = partials.data()});
  for (std::int64_t c = 0; c < stride; ++c) {
    double sum = 0;  // integers: exact in f32 too
    for (std::int64_t e = 0; e < degree; ++e) {
      sum += (1 << e % sources) * static_cast<double>(1 + e % sources * stride + c);
    }
    EXPECT_EQ(y[kRow * stride + c], 2 * (0.5 * sum + 1 + static_cast<double>(c))) << c;
    const float written = with_copies ? y[kRow * stride + c] : 0.0F;
    EXPECT_EQ(y_copy[kRow * stride + c], to_bf16(written)) << c;
  }
}

TEST(Far, PropagateReadsAndWritesRowsBeyond32Bits) {
  for (const std::int64_t stride : {8, 64}) {  // ids read directly, ids shuffled
    propagate_one_row(5, stride);              // by one group
    propagate_one_row(300, stride);            // by five groups, joined
    propagate_one_row(5000, stride);           // by 71 groups, joined
  }
}

TEST(Far, PropagateReadsAndWritesCopiesBeyond32Bits) {
  for (const std::int64_t stride : {8, 24}) {  // nearly 2³² vectors
    for (const std::int64_t degree : {5, 300, 5000}) propagate_one_row(degree, stride, true);
  }
}

TEST(Far, AdamAndSgdStepRowsBeyond32Bits) {
  FarRows rows(2);
  const std::int64_t first = std::int64_t{kRow} * kStride;
  Far<float> gradient(first, counting(2 * kStride));
  Far<float> parameter(first, std::vector<float>(2 * kStride, 10));
  Far<float> velocity(first, std::vector<float>(2 * kStride, 4));
  launch_sgd(DeviceQueue(), {.learning_rate = 0.5F,
                             .momentum = 0.25F,
                             .gradient = gradient.data(),
                             .parameter = parameter.data(),
                             .velocity = velocity.data(),
                             .rows = kRow + 2,
                             .stride = kStride,
                             .only = rows.view});
  for (std::int64_t i = 0; i < 2 * kStride; ++i) {
    EXPECT_EQ(velocity[first + i], 2.0F + static_cast<float>(i));
    EXPECT_EQ(parameter[first + i], 10.0F - 0.5F * (2.0F + static_cast<float>(i)));
  }

  Far<float> moment(first, std::vector<float>(2 * kStride, 0));
  Far<float> square(first, std::vector<float>(2 * kStride, 0));
  Far<float> stepped(first, std::vector<float>(2 * kStride, 1));
  simt::Buffer<std::int64_t> step(std::span<const std::int64_t>(std::vector<std::int64_t>{1}));
  Far<std::int64_t> row_steps(kRow, {0, 0});
  AdamTask task{.learning_rate = 0.125,
                .beta1 = 0.9,
                .beta2 = 0.999,
                .step = step.data(),
                .gradient = gradient.data(),
                .parameter = stepped.data(),
                .first_moment = moment.data(),
                .second_moment = square.data(),
                .rows = kRow + 2,
                .cols = kStride,
                .stride = kStride,
                .only = rows.view,
                .row_steps = row_steps.data()};
  launch_adam(DeviceQueue(), task);
  for (std::int64_t i = 0; i < 2 * kStride; ++i) {
    EXPECT_NEAR(stepped[first + i], 0.875, 1e-6) << "the first step is the rate";
  }
  simt::Buffer<std::int64_t> next(std::span<const std::int64_t>(std::vector<std::int64_t>{2}));
  task.step = next.data();
  launch_adam_catch_up(DeviceQueue(), task);
  for (std::int64_t i = 0; i < 2 * kStride; ++i) {
    EXPECT_LT(stepped[first + i], 0.875F) << "it goes on by its momentum";
  }
  EXPECT_EQ(row_steps[kRow], 2);
  EXPECT_EQ(row_steps[kRow + 1], 2);
}

TEST(Far, BprAndL2ReachRowsBeyond32Bits) {
  // One triplet: user kRow, positive kRow, negative kRow + 1; plan and triplets are far out too.
  const std::int64_t first = std::int64_t{kRow} * kStride;
  constexpr std::int64_t kPlace = (std::int64_t{1} << 33) + 1;
  Far<Triplet> triplets(kPlace, {{kRow, kRow, kRow + 1}});
  Far<NodeId> user_rows(kPlace, {kRow});
  Far<NodeId> item_rows(kPlace, {kRow, kRow + 1});
  Far<std::int32_t> user_starts(kPlace, {0, 1});
  Far<std::int32_t> item_starts(kPlace, {0, 1, 2});
  simt::Buffer<std::int32_t> user_occurrences{
      std::span<const std::int32_t>(std::vector<std::int32_t>{0})};
  simt::Buffer<std::int32_t> item_occurrences{
      std::span<const std::int32_t>(std::vector<std::int32_t>{0, 1})};
  const BatchState state{.batch = 0,
                         .window_first = 0,
                         .first = kPlace,
                         .count = 1,
                         .rows = {{kPlace, 1}, {kPlace, 2}}};
  simt::Buffer<BatchState> device_state{std::span<const BatchState>(&state, 1)};
  const BatchView batch{
      .state = device_state.data(),
      .triplets = triplets.data(),
      .sides = {{user_rows.data(), user_starts.data(), user_occurrences.data(), 1},
                {item_rows.data(), item_starts.data(), item_occurrences.data(), 2}},
      .batch_size = 1};

  Far<float> users(first, std::vector<float>(kStride, 0.5F));
  std::vector<float> of_items(kStride, 1);
  of_items.resize(2 * kStride, 1);
  Far<float> items(first, of_items);  // equal rows: the margin is 0, σ is 1/2
  Far<float> grad_users(first, std::vector<float>(kStride, kPoison));
  Far<float> grad_items(first, std::vector<float>(2 * kStride, kPoison));
  simt::Buffer<float> losses(8);
  simt::Buffer<float> weights(1);
  simt::Buffer<double> terms(3);
  const MatrixView<const float> users_view{users.data(), kRow + 1, kStride, kStride};
  const MatrixView<const float> items_view{items.data(), kRow + 2, kStride, kStride};
  const MatrixView<float> grad_users_view{grad_users.data(), kRow + 1, kStride, kStride};
  const MatrixView<float> grad_items_view{grad_items.data(), kRow + 2, kStride, kStride};
  const MatrixView<float> losses_view{losses.data(), 2, 1, 4};
  launch_bpr(DeviceQueue(), {.batch = batch,
                             .users = users_view,
                             .items = items_view,
                             .grad_users = grad_users_view,
                             .grad_items = grad_items_view,
                             .losses = losses_view,
                             .weights = weights.data(),
                             .terms = terms.data()});
  EXPECT_FLOAT_EQ(losses[0], std::log(2.0F));
  launch_l2_penalty(DeviceQueue(), {.batch = batch,
                                    .lambda = 2.0,
                                    .values = {users_view, items_view},
                                    .gradients = {grad_users_view, grad_items_view},
                                    .losses = losses_view,
                                    .terms = terms.data()});
  EXPECT_FLOAT_EQ(losses[4], kStride * (0.25F + 1 + 1));
  for (std::int64_t c = 0; c < kStride; ++c) {
    EXPECT_EQ(grad_users[first + c], 0.0F + 2 * 0.5F);
    EXPECT_EQ(grad_items[first + c], -0.25F + 2);
    EXPECT_EQ(grad_items[first + kStride + c], 0.25F + 2);
  }
}

TEST(Far, InBatchSoftmaxReachesRowsBeyond32Bits) {
  // Two pairs, (kRow, kRow) and (kRow + 1, kRow + 1), with unit rows on the axes; all rows, the plan
  // and the graph are far out.
  const std::int64_t first = std::int64_t{kRow} * kStride;
  constexpr std::int64_t kPlace = (std::int64_t{1} << 33) + 1;
  Far<Triplet> triplets(kPlace, {{kRow, kRow, kRow + 1}, {kRow + 1, kRow + 1, kRow}});
  Far<NodeId> rows(kPlace, {kRow, kRow + 1});
  Far<std::int32_t> user_starts(kPlace, {0, 1, 2});
  Far<std::int32_t> item_starts(kPlace, {0, 2, 4});
  using Occurrences = std::vector<std::int32_t>;
  simt::Buffer<std::int32_t> user_occurrences{Occurrences{0, 1}};
  simt::Buffer<std::int32_t> item_occurrences{Occurrences{0, 3, 1, 2}};
  const BatchState state{.first = kPlace, .count = 2, .rows = {{kPlace, 2}, {kPlace, 2}}};
  simt::Buffer<BatchState> device_state{std::span<const BatchState>(&state, 1)};
  Far<EdgeOffset> offsets(kRow, {kEdge, kEdge + 1, kEdge + 2});
  Far<NodeId> columns(kEdge, {kRow, kRow + 1});

  std::vector<float> axes(2 * kStride, 0.0F);
  axes[0] = 4;
  axes[kStride + 1] = 2;
  Far<float> users(first, axes);
  Far<float> items(first, axes);
  Far<float> grad_users(first, std::vector<float>(2 * kStride, kPoison));
  Far<float> grad_items(first, std::vector<float>(2 * kStride, kPoison));
  simt::Buffer<float> losses(8);
  simt::Buffer<double> doubles(4);
  simt::Buffer<float> workspace(softmax_workspace_size(2, 2, kStride));
  const CsrView csr{offsets.data(), columns.data(), kRow + 2, kRow + 2};
  InBatchSoftmaxTask task;
  task.batch = {.state = device_state.data(),
                .triplets = triplets.data(),
                .sides = {{rows.data(), user_starts.data(), user_occurrences.data(), 2},
                          {rows.data(), item_starts.data(), item_occurrences.data(), 2}},
                .batch_size = 2};
  task.count = &task.batch.state->count;
  task.values[0] = {users.data(), kRow + 2, kStride, kStride};
  task.values[1] = {items.data(), kRow + 2, kStride, kStride};
  task.gradients[0] = {grad_users.data(), kRow + 2, kStride, kStride};
  task.gradients[1] = {grad_items.data(), kRow + 2, kStride, kStride};
  task.losses = {losses.data(), 2, 1, 4};
  task.observed = task.by_item = csr;
  task.mask = SoftmaxMask::kObserved;
  task.temperature = 0.5;
  task.correction = 1.0F;
  task.sharpness = softmax_sharpness(0.5);
  task.set_sizes(2, 2);
  task.stride = kStride;
  task.cosines = doubles.data();
  task.terms = doubles.data() + 2;
  carve_softmax_workspace(task, workspace.data());
  simt::Buffer<std::uint64_t> words(observed_words_size(2, 2));
  task.observed_words = words.data();
  launch_in_batch_softmax(DeviceQueue(), task);
  // Each row: -1/τ + the other column's -log q, with one interaction an item.
  EXPECT_NEAR(losses[0], -2 + std::log(static_cast<double>(kEdge + 2)), 1e-5);
  // ∂/∂û_0 = 1/(Bτ) (p̂_1 - p̂_0) = (-1, 1): across û_0, over its norm.
  for (std::int64_t c = 0; c < kStride; ++c) {
    for (Far<float>* gradient : {&grad_users, &grad_items}) {
      EXPECT_FLOAT_EQ((*gradient)[first + c], c == 1 ? 0.25F : 0.0F) << c;
      EXPECT_FLOAT_EQ((*gradient)[first + kStride + c], c == 0 ? 0.5F : 0.0F) << c;
    }
  }
}

/// A batch of one pair, (kRow, kRow), with the negatives kRow + 1 and kRow + 2; all rows and the plan are
/// far out.
struct FarContrastBatch {
  static constexpr std::int64_t kPlace = (std::int64_t{1} << 33) + 1;
  Far<Triplet> triplets{kPlace, {{kRow, kRow, kRow + 1}, {kRow, kRow, kRow + 2}}};
  Far<NodeId> rows{kPlace, {kRow, kRow + 1, kRow + 2}};
  Far<std::int32_t> user_starts{kPlace, {0, 2}};
  Far<std::int32_t> item_starts{kPlace, {0, 2, 3, 4}};
  simt::Buffer<std::int32_t> user_occurrences{
      std::span<const std::int32_t>(std::vector<std::int32_t>{0, 1})};
  simt::Buffer<std::int32_t> item_occurrences{
      std::span<const std::int32_t>(std::vector<std::int32_t>{0, 2, 1, 3})};
  BatchState host_state{.first = kPlace, .count = 2, .rows = {{kPlace, 1}, {kPlace, 3}}};
  simt::Buffer<BatchState> state{std::span<const BatchState>(&host_state, 1)};

  BatchView view() {
    return {.state = state.data(),
            .triplets = triplets.data(),
            .sides = {{rows.data(), user_starts.data(), user_occurrences.data(), 1},
                      {rows.data(), item_starts.data(), item_occurrences.data(), 3}},
            .batch_size = 2};
  }
};

TEST(Far, SampledContrastReachesRowsBeyond32Bits) {
  const std::int64_t first = std::int64_t{kRow} * kStride;
  FarContrastBatch batch;
  // û = (1, 0), p̂ = (0, 1), n̂₁ = (1, 0), n̂₂ = (0, -1).
  std::vector<float> user(kStride, 0.0F);
  user[0] = 4;
  std::vector<float> of_items(3 * kStride, 0.0F);
  of_items[1] = 2;
  of_items[kStride] = 5;
  of_items[2 * kStride + 1] = -8;
  Far<float> users(first, user);
  Far<float> items(first, of_items);
  Far<float> grad_users(first, std::vector<float>(kStride, kPoison));
  Far<float> grad_items(first, std::vector<float>(3 * kStride, kPoison));
  Far<float> user_inverses(kRow, std::vector<float>(1));
  Far<float> item_inverses(kRow, std::vector<float>(3));
  simt::Buffer<float> losses(8);
  simt::Buffer<float> floats(kStride + 4);
  simt::Buffer<double> terms(1);
  const ContrastTask task{.batch = batch.view(),
                          .values = {{users.data(), kRow + 1, kStride, kStride},
                                     {items.data(), kRow + 3, kStride, kStride}},
                          .gradients = {{grad_users.data(), kRow + 1, kStride, kStride},
                                        {grad_items.data(), kRow + 3, kStride, kStride}},
                          .losses = {losses.data(), 2, 1, 4},
                          .kind = SampledContrastKind::kCosineContrastive,
                          .margin = -0.5,
                          .negative_weight = 6.0,
                          .sharpness = 1.0F,
                          .negatives = 2,
                          .size = 2,
                          .stride = kStride,
                          .user_gradient = floats.data(),
                          .inverses = {user_inverses.data(), item_inverses.data()},
                          .weights = floats.data() + kStride,
                          .terms = terms.data()};
  launch_sampled_contrast(DeviceQueue(), task);
  // s⁺ = 0, s = 1, 0: both are above the margin.
  EXPECT_FLOAT_EQ(losses[0], 1 + 6.0F / 2 * (1.5F + 0.5F));
  for (std::int64_t c = 0; c < kStride; ++c) {
    // ∂/∂û = -p̂ + 3 n̂₁ + 3 n̂₂, across û and over 4.
    EXPECT_FLOAT_EQ(grad_users[first + c], c == 1 ? -4.0F / 4 : 0.0F) << c;
    EXPECT_FLOAT_EQ(grad_items[first + c], c == 0 ? -1.0F / 2 : 0.0F) << c;
    EXPECT_FLOAT_EQ(grad_items[first + kStride + c], 0.0F) << c;
    EXPECT_FLOAT_EQ(grad_items[first + 2 * kStride + c], c == 0 ? 3.0F / 8 : 0.0F) << c;
  }
}

}  // namespace
}  // namespace tern::cuda
