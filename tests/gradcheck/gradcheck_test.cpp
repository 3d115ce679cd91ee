#include "tern/gradcheck.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "host/gradcheck/checks.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/tensor_file.hpp"
#include "tests/gradcheck/failures.hpp"
#include "tests/gradcheck/faulty_backend.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern::test {
namespace {

namespace fs = std::filesystem;
using namespace gradcheck_detail;
using testing::Contains;
using testing::IsEmpty;
using testing::IsSupersetOf;

GradcheckOptions small() {
  return {.users = 7, .items = 6, .width = 3, .layers = 2, .batch_size = 8, .problems = 2};
}

TEST(Gradcheck, RightBackendsPass) {
  EXPECT_THAT(failures(gradcheck(*make_reference_backend(), small())), IsEmpty());
  for (const int threads : {1, 2}) {
    const auto results = gradcheck(*make_cpu_backend(threads), small());
    EXPECT_THAT(failures(results), IsEmpty());
    std::set<std::string> subjects;
    for (const GradcheckResult& r : results) {
      if (r.backend == "cpu") subjects.insert(r.subject);
    }
    EXPECT_EQ(subjects, (std::set<std::string>{"sample",
                                               "propagate",
                                               "bpr",
                                               "l2_penalty",
                                               "adam",
                                               "sgd",
                                               "score_topk",
                                               "embedding_statistics",
                                               "linear_relu_batchnorm",
                                               "dropout",
                                               "perturb",
                                               "normalize_rows",
                                               "in_batch_softmax",
                                               "alignment_uniformity",
                                               "info_nce",
                                               "sampled_contrast",
                                               "mf",
                                               "lightgcn L1",
                                               "lightgcn L2",
                                               "gcmc ids",
                                               "gcmc features",
                                               "gcmc both L2",
                                               "mf expression",
                                               "lightgcn L1 expression",
                                               "mf softmax",
                                               "lightgcn L1 softmax",
                                               "lightgcn L2 softmax",
                                               "gcmc ids softmax",
                                               "gcmc features softmax",
                                               "gcmc both L2 softmax",
                                               "xsimgcl L1",
                                               "xsimgcl L2",
                                               "xsimgcl L4",
                                               "xsimgcl L1 softmax",
                                               "xsimgcl L2 softmax",
                                               "xsimgcl L4 softmax",
                                               "mf directau",
                                               "lightgcn L1 directau",
                                               "lightgcn L2 directau",
                                               "gcmc ids directau",
                                               "gcmc features directau",
                                               "gcmc both L2 directau",
                                               "xsimgcl L1 directau",
                                               "xsimgcl L2 directau",
                                               "xsimgcl L4 directau",

                                               "mf sampled softmax",
                                               "mf mixed softmax",
                                               "lightgcn L1 sampled softmax",
                                               "lightgcn L1 mixed softmax",
                                               "lightgcn L2 sampled softmax",
                                               "lightgcn L2 mixed softmax",
                                               "gcmc ids sampled softmax",
                                               "gcmc ids mixed softmax",
                                               "gcmc features sampled softmax",
                                               "gcmc features mixed softmax",
                                               "gcmc both L2 sampled softmax",
                                               "gcmc both L2 mixed softmax",
                                               "mf ccl",
                                               "lightgcn L1 ccl",
                                               "lightgcn L2 ccl",
                                               "gcmc ids ccl",
                                               "gcmc features ccl",
                                               "gcmc both L2 ccl",
                                               "xsimgcl L1 ccl",
                                               "xsimgcl L2 ccl",
                                               "xsimgcl L4 ccl",
                                               "xsimgcl L1 sampled softmax",
                                               "xsimgcl L1 mixed softmax",
                                               "xsimgcl L2 sampled softmax",
                                               "xsimgcl L2 mixed softmax",
                                               "xsimgcl L4 sampled softmax",
                                               "xsimgcl L4 mixed softmax",
                                               "lightgcn++ L1",
                                               "lightgcn++ L2",
                                               "lightgcn++ L4",
                                               "lightgcn++ L1 softmax",
                                               "lightgcn++ L2 softmax",
                                               "lightgcn++ L4 softmax",
                                               "lightgcn++ L1 directau",
                                               "lightgcn++ L2 directau",
                                               "lightgcn++ L4 directau",
                                               "lightgcn++ L1 sampled softmax",
                                               "lightgcn++ L1 mixed softmax",
                                               "lightgcn++ L2 sampled softmax",
                                               "lightgcn++ L2 mixed softmax",
                                               "lightgcn++ L4 sampled softmax",
                                               "lightgcn++ L4 mixed softmax",
                                               "lightgcn++ L1 ccl",
                                               "lightgcn++ L2 ccl",
                                               "lightgcn++ L4 ccl",
                                               "lightgcn++ L1 sl@k",
                                               "lightgcn++ L2 sl@k",
                                               "lightgcn++ L4 sl@k",
                                               "lightgcn++ L1 sampled sl@k",
                                               "lightgcn++ L2 sampled sl@k",
                                               "lightgcn++ L4 sampled sl@k",
                                               "mf sl@k",
                                               "lightgcn L1 sl@k",
                                               "lightgcn L2 sl@k",
                                               "gcmc ids sl@k",
                                               "gcmc features sl@k",
                                               "gcmc both L2 sl@k",
                                               "xsimgcl L1 sl@k",
                                               "xsimgcl L2 sl@k",
                                               "xsimgcl L4 sl@k",
                                               "mf sampled sl@k",
                                               "lightgcn L1 sampled sl@k",
                                               "lightgcn L2 sampled sl@k",
                                               "gcmc ids sampled sl@k",
                                               "gcmc features sampled sl@k",
                                               "gcmc both L2 sampled sl@k",
                                               "xsimgcl L1 sampled sl@k",
                                               "xsimgcl L2 sampled sl@k",
                                               "xsimgcl L4 sampled sl@k",
                                               "mf mixed sl@k",
                                               "lightgcn L1 mixed sl@k",
                                               "lightgcn L2 mixed sl@k",
                                               "gcmc ids mixed sl@k",
                                               "gcmc features mixed sl@k",
                                               "gcmc both L2 mixed sl@k",
                                               "xsimgcl L1 mixed sl@k",
                                               "xsimgcl L2 mixed sl@k",
                                               "xsimgcl L4 mixed sl@k",
                                               "lightgcn++ L1 mixed sl@k",
                                               "lightgcn++ L2 mixed sl@k",
                                               "lightgcn++ L4 mixed sl@k"}));
  }
}

TEST(Gradcheck, OtherShapesPassAsWell) {
  for (GradcheckOptions options :
       {GradcheckOptions{.users = 3, .items = 3, .density = 1.0, .width = 1, .layers = 1},
        GradcheckOptions{.users = 5, .items = 30, .density = 0.05, .width = 5, .batch_size = 1},
        GradcheckOptions{.users = 12, .items = 9, .batch_size = 10'000, .l2 = 0.0}}) {
    options.problems = 2;
    EXPECT_THAT(failures(gradcheck(*make_cpu_backend(2), options)), IsEmpty());
  }
}

/// Short rows and columns with few numbers are frequent: they pass rounding errors on enlarged. The seeds are those in
/// which errors are the largest, for an op, mf, xsimgcl and gcmc.
TEST(Gradcheck, RowsOfTwoNumbersPass) {
  GradcheckOptions options = small();
  options.width = 2;
  options.problems = 1;
  for (const std::uint64_t seed : {0, 1, 13, 19, 21, 25, 27, 37}) {
    options.seed = Seed{seed};
    EXPECT_THAT(failures(gradcheck(*make_cpu_backend(1), options)), IsEmpty()) << seed;
  }
  options.seed = Seed{0};
  options.problems = 2;
  const auto found = [&](Fault fault) {
    FaultyBackend backend(fault);
    return failures(gradcheck(backend, options));
  };
  EXPECT_THAT(found(Fault::kPropagateScale), Contains("lightgcn++ L2: gradient of user_embedding"));
  EXPECT_THAT(found(Fault::kNormalizeSum), Contains("lightgcn++ L1: loss"));
  EXPECT_THAT(found(Fault::kDenseScale),
              Contains("gcmc both L2 softmax: gradient of item_layer1_norm_scale"));
}

TEST(Gradcheck, FaultsOfABackendAreSeenAgainstTheReference) {
  const auto found = [](Fault fault) {
    FaultyBackend backend(fault);
    return failures(gradcheck(backend, small()));
  };
  EXPECT_THAT(found(Fault::kNone), IsEmpty());
  EXPECT_THAT(found(Fault::kPropagateSkipsAddend), Contains("propagate: y (to users)"));
  EXPECT_THAT(found(Fault::kPropagateSkipsAddend), Contains("lightgcn L2: loss"));
  EXPECT_THAT(found(Fault::kPropagateScale), Contains("propagate: y (to items)"));
  EXPECT_THAT(found(Fault::kPropagateUnrounded), Contains("propagate: y (from bf16)"));
  EXPECT_THAT(found(Fault::kBprItemSign), Contains("bpr: gradient of items"));
  EXPECT_THAT(found(Fault::kBprItemSign), Contains("mf: gradient of item_embedding"));
  EXPECT_THAT(found(Fault::kBprUserNan), Contains("bpr: gradient of users"));
  EXPECT_THAT(found(Fault::kSoftmaxItemSign), Contains("in_batch_softmax: gradient of items"));
  EXPECT_THAT(found(Fault::kMixedForgotten),
              IsSupersetOf({"in_batch_softmax: gradient of items (mixed)",
                            "mf mixed softmax: gradient of item_embedding"}));
  EXPECT_THAT(found(Fault::kAlignmentUserSign),
              Contains("alignment_uniformity: gradient of users"));
  EXPECT_THAT(found(Fault::kInfoNceForgotten), Contains("info_nce: gradient of others (items)"));
  EXPECT_THAT(found(Fault::kContrastItemSign),
              Contains("sampled_contrast: gradient of items (softmax)"));
  EXPECT_THAT(found(Fault::kContrastMargin),
              Contains("sampled_contrast: gradient of items (cosine)"));
  EXPECT_THAT(found(Fault::kContrastMargin), Contains("mf ccl: loss"));
  EXPECT_THAT(found(Fault::kPairWeightForgotten),
              IsSupersetOf({"in_batch_softmax: gradient of users (weighted)",
                            "sampled_contrast: gradient of items (weighted softmax)",
                            "mf sl@k: gradient of user_embedding",
                            "mf sampled sl@k: gradient of item_embedding"}));
  EXPECT_THAT(found(Fault::kL2Forgotten), Contains("l2_penalty: gradient of users"));
  EXPECT_THAT(found(Fault::kAdamWithoutWarmUp), Contains("adam: parameter after 3 steps"));
  EXPECT_THAT(found(Fault::kAdamMissesAStep), Contains("adam: parameter after 3 missed steps"));
  EXPECT_THAT(found(Fault::kTopItemsSwapped),
              testing::ElementsAre("score_topk: items of the best"));
  EXPECT_THAT(found(Fault::kSampleOffByOne), testing::ElementsAre("sample: triplets that differ"));
  EXPECT_THAT(found(Fault::kDropoutUnscaled),
              testing::ElementsAre("dropout: elements", "dropout: rows"));
  EXPECT_THAT(found(Fault::kPerturbTwofold), IsSupersetOf({"perturb: values", "perturb: sum"}));
  EXPECT_THAT(found(Fault::kDenseScale), Contains("gcmc ids: gradient of user_layer1_norm_scale"));
  EXPECT_THAT(found(Fault::kNormalizeSum),
              IsSupersetOf({"normalize_rows: sum", "lightgcn++ L1: loss"}));
  EXPECT_THAT(
      found(Fault::kNormalizeSign),
      IsSupersetOf({"normalize_rows: gradient of x", "lightgcn++ L2: gradient of user_embedding"}));
}

/// The same faults in the f64 backend itself: then only differences of the loss can show them.
TEST(Gradcheck, FaultsOfGradientsAreSeenByDifferencesAlone) {
  const auto found = [](Fault fault) {
    FaultyBackend backend(fault);
    Report report;
    check_op_gradients(backend, small(), Seed{0}, report);
    for (const NamedModel& model : models(small())) {
      check_model_gradients(backend, small(), model, Seed{0}, report);
    }
    return failures(report.take());
  };
  EXPECT_THAT(found(Fault::kNone), IsEmpty());
  EXPECT_THAT(found(Fault::kPropagateScale), Contains("propagate: gradient of x (to users)"));
  EXPECT_THAT(found(Fault::kPropagateScale), Contains("lightgcn L1: gradient of item_embedding"));
  EXPECT_THAT(found(Fault::kBprItemSign), Contains("bpr: gradient of items"));
  EXPECT_THAT(found(Fault::kBprItemSign), Contains("lightgcn L2: gradient along all parameters"));
  EXPECT_THAT(found(Fault::kBprUserNan), Contains("bpr: gradient of users"));
  EXPECT_THAT(found(Fault::kSoftmaxItemSign), Contains("in_batch_softmax: gradient of items"));
  EXPECT_THAT(found(Fault::kSoftmaxItemSign),
              Contains("mf softmax: gradient along all parameters"));
  EXPECT_THAT(found(Fault::kMixedForgotten),
              IsSupersetOf({"in_batch_softmax: gradient of users (mixed)",
                            "gcmc ids mixed softmax: gradient along all parameters"}));
  EXPECT_THAT(found(Fault::kAlignmentUserSign),
              Contains("alignment_uniformity: gradient of users"));
  EXPECT_THAT(found(Fault::kAlignmentUserSign),
              Contains("lightgcn L1 directau: gradient along all parameters"));
  EXPECT_THAT(found(Fault::kNormalizeSign),
              IsSupersetOf({"normalize_rows: gradient of x",
                            "lightgcn++ L1: gradient along all parameters"}));
  EXPECT_THAT(found(Fault::kInfoNceForgotten), Contains("info_nce: gradient of others (users)"));
  EXPECT_THAT(found(Fault::kContrastItemSign),
              Contains("sampled_contrast: gradient of items (softmax)"));
  EXPECT_THAT(found(Fault::kContrastItemSign),
              IsSupersetOf({"sampled_contrast: gradient of items (cosine)",
                            "sampled_contrast: gradient of items (expression)",
                            "sampled_contrast: gradient of items (expression of cosines)",
                            "mf expression: gradient of item_embedding",
                            "lightgcn L1 expression: gradient along all parameters"}));
  EXPECT_THAT(found(Fault::kContrastItemSign),
              Contains("mf sampled softmax: gradient along all parameters"));
  EXPECT_THAT(found(Fault::kContrastItemSign),
              Contains("gcmc ids ccl: gradient along all parameters"));
  EXPECT_THAT(found(Fault::kPairWeightForgotten),
              IsSupersetOf({"in_batch_softmax: gradient of items (weighted)",
                            "sampled_contrast: gradient of users (weighted softmax)",
                            "lightgcn L1 sl@k: gradient along all parameters",
                            "gcmc ids sampled sl@k: gradient along all parameters"}));
  EXPECT_THAT(found(Fault::kL2Forgotten), Contains("l2_penalty: gradient of items"));
  EXPECT_THAT(found(Fault::kL2Forgotten), Contains("mf: gradient along all parameters"));
  EXPECT_THAT(found(Fault::kDenseInputSign),
              Contains("linear_relu_batchnorm: gradient of inner input 0"));
  EXPECT_THAT(found(Fault::kDenseInputSign), Contains("gcmc ids: gradient of user_embedding"));
  EXPECT_THAT(found(Fault::kDenseWeightSign),
              Contains("gcmc features: gradient of user_layer1_self_numbers_weight"));
  EXPECT_THAT(found(Fault::kDenseOuterDropped),
              Contains("linear_relu_batchnorm: gradient of outer weight 0"));
  EXPECT_THAT(found(Fault::kDenseOuterDropped),
              Contains("gcmc both L2: gradient of item_layer2_mix_weight"));
  EXPECT_THAT(found(Fault::kDenseScale), Contains("linear_relu_batchnorm: gradient of scale"));
  EXPECT_THAT(found(Fault::kDenseScale), Contains("gcmc ids: gradient along all parameters"));
}

TEST(Gradcheck, OptionsOutOfRangeAreRefused) {
  const auto refused = [](auto change) {
    GradcheckOptions options = small();
    change(options);
    EXPECT_THROW(gradcheck(*make_reference_backend(), options), ConfigError);
  };
  refused([](auto& o) { o.users = 2; });
  refused([](auto& o) { o.items = 1'000'000; });
  refused([](auto& o) { o.density = 0.0; });
  refused([](auto& o) { o.density = std::nan(""); });
  refused([](auto& o) { o.width = 0; });
  refused([](auto& o) { o.layers = 0; });
  refused([](auto& o) { o.batch_size = 0; });
  refused([](auto& o) { o.l2 = -1.0; });
  refused([](auto& o) { o.problems = 0; });
}

TEST(Gradcheck, DumpsWhatAStepNeedsToBeRedone) {
  const TemporaryDirectory directory;
  const fs::path folder = directory.path();
  const auto backend = make_cpu_backend(1);
  const auto places = dump_steps(*backend, small(), folder);
  ASSERT_EQ(places.size(), 108u);
  const fs::path place = places[2];
  EXPECT_EQ(place.filename(), "lightgcn-L2");
  EXPECT_TRUE(fs::exists(place / "step.json"));
  StepProblem problem(*backend, small(), models(small())[2], small().seed);
  problem.step();
  const Parameter& items = problem.model().parameters()[1];
  const auto gradient = read_npy(place / "item_embedding_gradient.npy");
  EXPECT_EQ(gradient.shape, (std::vector<std::int64_t>{6, 3}));
  const auto& values = std::get<std::vector<float>>(gradient.values);
  EXPECT_EQ(Values(values.begin(), values.end()), problem.gradient(items));
  EXPECT_EQ(read_npy(place / "triplets.npy").shape, (std::vector<std::int64_t>{8, 3}));
  EXPECT_EQ(read_npy(place / "interactions.npy").shape[0], problem.interactions().size());
  EXPECT_EQ(read_npy(place / "final_users.npy").shape, (std::vector<std::int64_t>{7, 3}));
  // gcmc's features and running statistics.
  EXPECT_EQ(places[5].filename(), "gcmc-both-L2");
  const fs::path gcmc = places[17];
  EXPECT_EQ(gcmc.filename(), "gcmc-both-L2-softmax");
  EXPECT_EQ(read_npy(gcmc / "user_numbers.npy").shape, (std::vector<std::int64_t>{7, 3}));
  EXPECT_EQ(read_npy(gcmc / "item_categories.npy").shape, (std::vector<std::int64_t>{6, 5}));
  EXPECT_EQ(read_npy(gcmc / "user_layer2_norm_running_mean.npy").shape,
            (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(places[7].filename(), "xsimgcl-L2");
  EXPECT_EQ(read_npy(places[7] / "loss.npy").shape, (std::vector<std::int64_t>{4}));
}

}  // namespace
}  // namespace tern::test
