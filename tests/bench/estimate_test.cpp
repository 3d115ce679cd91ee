// The estimate of a run: its formulas against the memory that cases take.

#include "bench/support/estimate.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include "tern/device.hpp"
#include "tests/support/graphs.hpp"

namespace tern::test {
namespace {

using bench::Case;
using bench::Cases;
using bench::DeviceKind;
using bench::Need;
using bench::Sizes;
using bench::Workload;

/// Bytes that are allocated now, by all threads.
double allocated() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
}

Cases all_cases() {
  Cases cases;
  const DeviceKind cpu = DeviceKind::kCpu;
  add_propagate_cases(cases, cpu, {.precisions = {"f32", "bf16"}});
  add_linear_relu_batchnorm_cases(cases, cpu);
  add_dropout_cases(cases, cpu);
  add_sample_cases(cases, cpu);
  add_bpr_cases(cases, cpu);
  add_in_batch_softmax_cases(cases, cpu);
  add_sampled_contrast_cases(cases, cpu, {.negatives = {16}});
  add_perturb_cases(cases, cpu);
  add_normalize_rows_cases(cases, cpu);
  add_alignment_uniformity_cases(cases, cpu);
  add_info_nce_cases(cases, cpu);
  add_l2_penalty_cases(cases, cpu);
  add_adam_cases(cases, cpu);
  add_sgd_cases(cases, cpu);
  add_score_topk_cases(cases, cpu);
  add_embedding_statistics_cases(cases, cpu);
  add_lightgcn_cases(cases, cpu, {.layers = {2}});
  return cases;
}

TEST(Estimate, CasesHoldAboutAsMuchMemoryAsEstimated) {
  const auto backend = make_cpu_backend(1);
  const auto device = bench::make_cpu_device(1);
  const Interactions graph = random_interactions(1500, 1000, 0.02, 1);
  Workload workload(*backend, *device, graph, 64, 1, 256);
  const Sizes sizes{1500, 1000, graph.size(), 64, 256, 1};
  for (const Case& one : all_cases()) {
    const double before = allocated();
    const bench::PreparedCase ready = one.prepare(workload);
    ready.reset();
    ready.run();
    ready.verify();
    const double held = allocated() - before;
    const Need need = need_of(one, sizes);
    EXPECT_LT(held, 1.3 * (need.device + need.host) + 1e5) << one.name();
    EXPECT_GT(held, 0.2 * (need.device + need.host)) << one.name();
  }
}

TEST(Estimate, GrowsWithWhatACaseReads) {
  const Case softmax{"in_batch_softmax", "batch", "tern", bench::Bound::kProduct, {}, {}};
  const Sizes small{1000, 1000, 10000, 64, 512, 2};
  Sizes wide = small;
  wide.width = 128;
  Sizes batch = small;
  batch.batch = 1024;
  EXPECT_GT(need_of(softmax, wide).device, 1.7 * need_of(softmax, small).device);
  EXPECT_GT(need_of(softmax, batch).run, 2.0 * need_of(softmax, small).run);
  EXPECT_GT(need_of(softmax, batch).preparation, 2.0 * need_of(softmax, small).preparation);
}

TEST(Estimate, NamesTheCaseThatMustFit) {
  Cases cases;
  add_sgd_cases(cases, DeviceKind::kCpu);
  add_linear_relu_batchnorm_cases(cases, DeviceKind::kCpu);
  const Sizes sizes{30'000, 40'000, 800'000, 65'536, 2048, 2};
  bench::RunPlan plan{.states = 1, .seconds = 0.5, .blocks = 12, .free = 8e9};
  const bench::Estimate estimate = bench::estimate(cases, sizes, plan);
  EXPECT_EQ(estimate.largest_case, "linear_relu_batchnorm/items_forward/tern");
  EXPECT_GT(estimate.largest, 2e11);
  EXPECT_GE(estimate.device, estimate.largest);
  EXPECT_GT(estimate.seconds, 3600.0);
  plan.states = 2;
  EXPECT_GT(bench::estimate(cases, sizes, plan).seconds, estimate.seconds);
}

TEST(Estimate, EveryProcessMakesAllCases) {
  Cases cases;
  add_sgd_cases(cases, DeviceKind::kCpu);
  const Sizes sizes{30'000, 40'000, 800'000, 64, 2048, 2};
  bench::RunPlan plan{.states = 1, .seconds = 0.5, .blocks = 12, .free = 8e9};
  const bench::Estimate one = bench::estimate(cases, sizes, plan);
  plan.processes = 6;
  const bench::Estimate six = bench::estimate(cases, sizes, plan);
  double preparation = 0.0;
  for (const bench::Case& each : cases) preparation += need_of(each, sizes).preparation;
  EXPECT_GE(six.seconds - one.seconds, 5 * preparation);
  EXPECT_EQ(six.device, one.device);  // one after the other
}

TEST(Estimate, SomeCasesWaitIfAllDoNotFit) {
  Cases cases;
  add_sgd_cases(cases, DeviceKind::kCpu);
  add_adam_cases(cases, DeviceKind::kCpu);
  const Sizes sizes{30'000, 40'000, 800'000, 256, 2048, 2};
  const double all = bench::estimate(cases, sizes, {.free = 1e12}).device;
  const double some = bench::estimate(cases, sizes, {.free = 1e9}).device;
  EXPECT_LT(some, all);
}

TEST(Estimate, IsStatedInWords) {
  EXPECT_EQ(bench::duration_text(44.2), "45 s");
  EXPECT_EQ(bench::duration_text(200), "3 min 20 s");
  EXPECT_EQ(bench::duration_text(1500), "25 min");
  EXPECT_EQ(bench::duration_text(7500), "2 h 5 min");
  EXPECT_EQ(bench::bytes_text(4e7), "40 MB");
  EXPECT_EQ(bench::bytes_text(10.54e9), "10.5 GB");
}

}  // namespace
}  // namespace tern::test
