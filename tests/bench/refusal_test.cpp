// A wrong result is refused before it is timed, and the message names the error.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <stdexcept>

#include "bench/support/compare.hpp"
#include "bench/support/report.hpp"
#include "bench/support/run_cases.hpp"
#include "tern/error.hpp"
#include "tests/bench/wrong_backend.hpp"
#include "tests/support/graphs.hpp"

namespace tern::test {
namespace {

using bench::Bound;
using bench::Case;
using bench::Cases;
using bench::DeviceKind;
using bench::PreparedCase;
using bench::Workload;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

/// Runs cases on a small graph, on a backend with one wrong op, and keeps the report.
class Bench {
 public:
  explicit Bench(const std::string& wrong_op)
      : backend_(wrong_op),
        device_(bench::make_cpu_device(1)),
        workload_(backend_, *device_, random_interactions(60, 50, 0.2, 1), 8, 1) {}

  bench::Summary run(const Cases& cases) {
    char* text = nullptr;
    std::size_t size = 0;
    std::FILE* table = open_memstream(&text, &size);
    bench::RunOptions options;
    options.seconds = 1e-3;
    options.blocks = 2;
    options.caches = {bench::CacheState::kWarm};
    const bench::Summary summary =
        bench::print_table(table, "", run_cases(cases, workload_, options));
    std::fclose(table);
    table_ = text;
    std::free(text);
    return summary;
  }
  const std::string& table() const { return table_; }
  Workload& workload() { return workload_; }

 private:
  WrongBackend backend_;
  std::unique_ptr<bench::Device> device_;
  Workload workload_;
  std::string table_;
};

Cases all_cases() {
  Cases cases;
  add_propagate_cases(cases, DeviceKind::kCpu);
  add_linear_relu_batchnorm_cases(cases, DeviceKind::kCpu);
  add_dropout_cases(cases, DeviceKind::kCpu);
  add_sample_cases(cases, DeviceKind::kCpu);
  add_bpr_cases(cases, DeviceKind::kCpu);
  add_in_batch_softmax_cases(cases, DeviceKind::kCpu);
  add_sampled_contrast_cases(cases, DeviceKind::kCpu);
  add_perturb_cases(cases, DeviceKind::kCpu);
  add_normalize_rows_cases(cases, DeviceKind::kCpu);
  add_alignment_uniformity_cases(cases, DeviceKind::kCpu);
  add_info_nce_cases(cases, DeviceKind::kCpu);
  add_l2_penalty_cases(cases, DeviceKind::kCpu);
  add_adam_cases(cases, DeviceKind::kCpu);
  add_sgd_cases(cases, DeviceKind::kCpu);
  add_score_topk_cases(cases, DeviceKind::kCpu);
  add_embedding_statistics_cases(cases, DeviceKind::kCpu);
  add_lightgcn_cases(cases, DeviceKind::kCpu, {.layers = {1, 2}});
  return cases;
}

TEST(Refusal, NamesOpElementFoundAndExpected) {
  Bench bench("");
  int runs = 0;
  const auto plant = [&](const char* strategy, float found) {
    return Case{"propagate", "to_users", strategy, Bound::kGather, [&runs, found](Workload&) {
                  PreparedCase ready;
                  ready.reset = [] {};
                  ready.run = [&runs] { ++runs; };
                  ready.verify = [found] {
                    bench::expect_equal("propagate", std::vector<float>{1, 2, 3, found},
                                        std::vector<double>{1, 2, 3, 4}, 2);
                  };
                  return ready;
                }};
  };
  const bench::Summary summary = bench.run({plant("drops_last_neighbour", 3.5F)});
  EXPECT_EQ(summary.refused, 1);
  EXPECT_EQ(summary.timed, 0);
  EXPECT_EQ(runs, 1);  // the verified one
  EXPECT_THAT(bench.table(),
              ContainsRegex("propagate +to_users +drops_last_neighbour +REFUSED, not timed: "
                            "propagate: element \\(1, 1\\) is 3.5, expected 4; 1 of 4 elements"));

  const bench::Summary right = bench.run({plant("right", 4.0F)});
  EXPECT_EQ(right.refused, 0);
  EXPECT_EQ(right.timed, 1);
  EXPECT_GT(runs, 2);
  EXPECT_THAT(bench.table(), Not(HasSubstr("REFUSED")));
}

TEST(Refusal, ACaseThatCannotRunIsNoEndOfTheOthers) {
  Bench bench("");
  Cases cases;
  cases.push_back({"op", "variant", "breaks", Bound::kNone,
                   [](Workload&) -> PreparedCase { throw std::runtime_error("out of memory"); }});
  add_sgd_cases(cases, DeviceKind::kCpu);
  const bench::Summary summary = bench.run(cases);
  EXPECT_EQ(summary.refused, 1);
  EXPECT_EQ(summary.timed, static_cast<int>(cases.size()) - 1);
  EXPECT_THAT(bench.table(), HasSubstr("REFUSED, not timed: out of memory"));
}

/// A rival that adds 1 to a sum, in which `run` may cheat; 1 is expected.
Case adding(const char* strategy, std::function<void(float& sum, int runs)> run) {
  return {"sum", "one", strategy, Bound::kNone, [run = std::move(run)](Workload&) {
            struct State {
              float sum = 0.0F;
              int runs = 0;
            };
            auto state = std::make_shared<State>();
            PreparedCase ready;
            ready.reset = [state] { state->sum = static_cast<float>(bench::kPoison); };
            ready.run = [state, run] { run(state->sum, ++state->runs); };
            ready.verify = [state] {
              bench::expect_equal("sum", std::vector<float>{state->sum}, std::vector<double>{1.0},
                                  1);
            };
            return ready;
          }};
}

TEST(Refusal, ARivalThatReturnsAtOnceFromItsSecondRunIsRefused) {
  Bench bench("");
  const bench::Summary summary = bench.run({adding("honest", [](float& sum, int) { sum = 1.0F; }),
                                            adding("returns_at_once", [](float& sum, int runs) {
                                              if (runs == 1) sum = 1.0F;
                                            })});
  EXPECT_EQ(summary.timed, 1);
  EXPECT_EQ(summary.refused, 1);
  EXPECT_THAT(
      bench.table(),
      HasSubstr("right before the timed runs, wrong after them: sum: element (0, 0) is nan, "
                "expected 1"));
}

TEST(Refusal, ARivalThatNeverClearsItsAccumulatorIsRefused) {
  Bench bench("");
  float own = 0.0F;  // zero only once
  const bench::Summary summary =
      bench.run({adding("adds_to_output", [](float& sum, int) { sum += 1.0F; }),
                 adding("adds_to_its_own", [&own](float& sum, int) { sum = own += 1.0F; })});
  EXPECT_EQ(summary.timed, 0);
  EXPECT_EQ(summary.refused, 2);
  EXPECT_THAT(
      bench.table(),
      AllOf(
          ContainsRegex("adds_to_output +REFUSED, not timed: sum: element \\(0, 0\\) is nan"),
          ContainsRegex("adds_to_its_own +REFUSED, .*wrong after .*element \\(0, 0\\) is [0-9]")));
}

TEST(Refusal, ACaseThatPoisonsNothingIsRefused) {
  Bench bench("");
  Case bare = adding("bare", [](float& sum, int) { sum = 1.0F; });
  bare.prepare = [prepare = bare.prepare](Workload& w) {
    PreparedCase ready = prepare(w);
    ready.reset = nullptr;
    return ready;
  };
  EXPECT_EQ(bench.run({bare}).refused, 1);
  EXPECT_THAT(bench.table(), HasSubstr("the case has no reset: nothing poisons its outputs"));
}

class WrongOp : public testing::TestWithParam<const char*> {};

TEST_P(WrongOp, EveryCaseOfItIsRefused) {
  const std::string op = GetParam();
  Bench bench(op);
  const Cases cases = select_cases(all_cases(), "^" + op + "/.*/tern$");
  const bench::Summary summary = bench.run(cases);
  EXPECT_EQ(summary.refused, static_cast<int>(cases.size())) << bench.table();
  EXPECT_EQ(summary.timed, 0);
  EXPECT_THAT(bench.table(), AllOf(ContainsRegex("(element|triplet) .* is .*, expected ")));
}

INSTANTIATE_TEST_SUITE_P(, WrongOp,
                         testing::Values("propagate", "linear_relu_batchnorm", "dropout", "sample",
                                         "bpr", "in_batch_softmax", "sampled_contrast", "perturb",
                                         "normalize_rows", "alignment_uniformity", "info_nce",
                                         "l2_penalty", "adam", "sgd", "score_topk",
                                         "embedding_statistics"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Refusal, NoCaseOfRightOpsIsRefused) {
  Bench bench("");
  const Cases cases = all_cases();
  const bench::Summary summary = bench.run(cases);
  EXPECT_EQ(summary.refused, 0) << bench.table();
  EXPECT_EQ(summary.timed, static_cast<int>(cases.size()));
}

TEST(SelectCases, MatchesNamesAndKeepsRivalsTogether) {
  const Cases cases{{"a", "x", "tern", Bound::kNone, {}},
                    {"a", "y", "tern", Bound::kNone, {}},
                    {"b", "x", "tern", Bound::kNone, {}},
                    {"a", "x", "rival", Bound::kNone, {}}};
  const auto names = [&](const std::string& filter) {
    std::vector<std::string> found;
    for (const Case& one : select_cases(cases, filter)) found.push_back(one.name());
    return found;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names("."), (Names{"a/x/tern", "a/x/rival", "a/y/tern", "b/x/tern"}));
  EXPECT_EQ(names("^a/.*tern|rival"), (Names{"a/x/tern", "a/x/rival", "a/y/tern"}));
  EXPECT_THROW(names("^x"), ConfigError);
  EXPECT_THROW(names("("), ConfigError);
}

}  // namespace
}  // namespace tern::test
