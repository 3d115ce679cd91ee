// The program tern-bench: its table, its JSON, its options, its exit codes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/bench/program.hpp"

namespace tern::test {
namespace {

using Program = BenchProgram;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST_F(Program, PrintsARowForEveryOp) {
  const Outcome outcome =
      run({"ops", "--data", "data", "--width", "5", "--seconds", "0.001", "--threads", "1"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("data: 40 users, 30 items"), HasSubstr("D = 5, B = 2048"),
                    ContainsRegex("ceilings  caches evicted: product [0-9.]+ \\+- [0-9]+ GFLOP/s"),
                    ContainsRegex("items: read [0-9.]+ .*, gather [0-9.]+ \\+- "),
                    ContainsRegex("op +variant +strategy +ms"), HasSubstr("x tern"),
                    Not(HasSubstr("REFUSED")), Not(HasSubstr("nan"))));
  for (const char* op : {"propagate", "sample", "bpr", "in_batch_softmax", "sampled_contrast",
                         "alignment_uniformity", "info_nce", "l2_penalty", "adam", "sgd",
                         "score_topk", "embedding_statistics"}) {
    EXPECT_THAT(outcome.out,
                ContainsRegex(std::string("\n").append(op) + " +[a-z0-9_]+ +tern +[0-9.]+"));
  }
  EXPECT_THAT(outcome.out, ContainsRegex("to_items +eigen .*% (gather|memory) +[0-9.]+"));
}

TEST_F(Program, WritesGoogleBenchmarksJson) {
  const Outcome outcome = run({"ops", "--data", "data", "--filter",
                               "^(propagate/to_users/(tern|eigen|plain_loop)|sgd/.*/tern)$",
                               "--seconds", "0.001", "--threads", "1", "--json", "out.json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::ifstream file(directory_ / "out.json");
  const nlohmann::json json = nlohmann::json::parse(file);

  const nlohmann::json& context = json.at("context");
  for (const char* key : {"date",
                          "num_cpus",
                          "tern_device",
                          "tern_device_details",
                          "tern_caches",
                          "tern_version",
                          "tern_build",
                          "tern_compiler",
                          "tern_processor",
                          "tern_mhz",
                          "tern_governor",
                          "tern_load_before",
                          "tern_load_after",
                          "tern_mhz_max",
                          "tern_system",
                          "tern_commit",
                          "tern_threads",
                          "ceiling_users_read_GB_per_s",
                          "ceiling_items_copy_GB_per_s",
                          "ceiling_items_update_GB_per_s",
                          "ceiling_items_triad_GB_per_s",
                          "ceiling_batch_gather_GB_per_s",
                          "ceiling_items_gather_spread",
                          "ceiling_product_GFLOP_per_s"}) {
    EXPECT_TRUE(context.contains(key)) << key;
  }
  EXPECT_EQ(context.at("executable"), "tern-bench");
  EXPECT_THAT(context.at("tern_commit").get<std::string>(),
              ContainsRegex("^([0-9a-f]{12}(-changed)?|unknown)$"));
  EXPECT_THAT(context.at("tern_flags").get<std::string>(), StartsWith("-"));
  EXPECT_THAT(context.at("tern_load_after").get<std::string>(), ContainsRegex("^[0-9.]+ of "));
  EXPECT_EQ(context.at("tern_backend"), "cpu");
  EXPECT_EQ(context.at("tern_data"), "data");
  EXPECT_EQ(context.at("tern_users"), "40");
  EXPECT_EQ(context.at("tern_width"), "64");

  // Google Benchmark's compare.py reads these fields of a row: name, run_name, run_type, times,
  // unit. The others are ours.
  std::set<std::string> cases;
  int medians = 0;
  for (const nlohmann::json& row : json.at("benchmarks")) {
    const std::string name = row.at("run_name");
    EXPECT_THAT(row.at("name").get<std::string>(), StartsWith(name));
    cases.insert(name);
    EXPECT_EQ(row.at("time_unit"), "ms");
    EXPECT_EQ(row.at("repetitions"), 12);
    EXPECT_EQ(row.at("width"), 64);
    EXPECT_EQ(row.at("caches"), "evicted");
    for (const char* key : {"real_time", "cpu_time", "bytes", "flops", "GB_per_s", "GFLOP_per_s"}) {
      EXPECT_TRUE(row.at(key).is_number()) << key;
    }
    if (row.at("run_type") != "aggregate") {
      EXPECT_EQ(row.at("run_type"), "iteration");
      EXPECT_GT(row.at("real_time"), 0.0);
    } else if (row.at("aggregate_name") == "median") {
      ++medians;
      const double seconds = row.at("real_time").get<double>() * 1e-3;
      const double bytes = row.at("bytes");
      EXPECT_NEAR(row.at("GB_per_s").get<double>() * seconds * 1e9 / bytes, 1.0, 1e-6);
      EXPECT_TRUE(row.contains("share_of_memory") || row.contains("share_of_gather"));
      EXPECT_TRUE(row.at("implausible").is_boolean());
      EXPECT_GE(row.at("runs"), 12);
      if (name == "sgd/dense/tern") {  // one stream of two reads and a write: a triad
        const std::string limit = context.at("ceiling_items_triad_GB_per_s");
        const double share = row.at("share_of_memory");
        EXPECT_NEAR(share * std::stod(limit) * 1e9 * seconds / bytes, 1.0, 0.01);
      }
    }
  }
  EXPECT_EQ(cases, (std::set<std::string>{"propagate/to_users/tern", "propagate/to_users/eigen",
                                          "propagate/to_users/plain_loop", "sgd/dense/tern",
                                          "sgd/dense_momentum/tern"}));
  EXPECT_EQ(medians, 5);
}

TEST_F(Program, FilesThatAreNoResultsAreRefused) {
  std::ofstream(directory_ / "text.json") << "1 2 3";
  expect_refused({"compare", "absent.json", "text.json"}, 65, "absent.json: cannot be read");
  expect_refused({"compare", "text.json", "text.json"}, 65, "text.json: no results of tern-bench");
  expect_refused({"ops", "--data", "data", "--baseline", "absent.json"}, 65, "absent.json");
}

TEST_F(Program, StatesItsVersion) {
  const Outcome outcome = run({"--version"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, ContainsRegex("^tern-bench [0-9]+\\.[0-9]+\\.[0-9]+ \\("));
}

TEST_F(Program, ListsWithoutRunning) {
  const Outcome outcome = run({"ops", "--list", "--filter", "^adam/.*/tern$"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "adam/dense/tern\nadam/batch_rows/tern\nadam/missed_steps/tern\n");
}

TEST_F(Program, HelpNamesEveryOption) {
  const Outcome outcome = run({"ops", "--help"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* word :
       {"--device", "--data",      "--shape",     "--width",
        "--filter", "--json",      "--warm",      "--caches",
        "--list",   "--threads",   "--seconds",   "--repetitions",
        "--seed",   "--processes", "--baseline",  "--batch",
        "--layers", "--negatives", "--precision", "--format",
        "--svg",    "--estimate",  "--force",     "gowalla, yelp2018, amazon-book"}) {
    EXPECT_THAT(outcome.out, HasSubstr(word));
  }
}

TEST_F(Program, BadUsageEndsWithTwo) {
  expect_refused({}, 2, "subcommand");
  expect_refused({"ops", "--nonsense"}, 2, "--nonsense");
  expect_refused({"ops", "--device", "gpu"}, 2, "\"gpu\" is none of cpu, cuda, cuda:N, auto");
  expect_refused({"ops", "--width", "0"}, 2, "--width");
  expect_refused({"ops", "--batch", "0"}, 2, "--batch");
  expect_refused({"ops", "--precision", "f16"}, 2, "--precision");
  expect_refused({"ops", "--format", "xml"}, 2, "--format");
  expect_refused({"ops", "--shape", "netflix"}, 2, "gowalla, yelp2018, amazon-book, ml-1m");
  expect_refused({"ops", "--data", "data", "--shape", "gowalla"}, 2, "excludes");
  expect_refused({"ops", "--data", "data", "--filter", "["}, 2,
                 "\"[\" is not a regular expression");
  expect_refused({"ops", "--data", "data", "--filter", "xyz"}, 2, "no case matches \"xyz\"");
}

TEST_F(Program, BadDataEndsWithSixtyFive) {
  expect_refused({"ops", "--data", "absent"}, 65, "absent");
  std::ofstream(directory_ / "data" / "train.txt") << "0 1 2 3 4 5\n1 2\n2 x 3 4\n";
  expect_refused({"ops", "--data", "data"}, 65, "train.txt:3:");
}

TEST_F(Program, AnUnwritableJsonIsSaidBeforeAnythingIsTimed) {
  expect_refused({"ops", "--data", "data", "--json", "absent/out.json"}, 1,
                 "cannot write absent/out.json");
}

TEST_F(Program, CudaThatCannotBeUsedIsOneLine) {
  setenv("TERN_CUDA_LIBRARY", "/absent/libtern_cuda.so", 1);
  const Outcome outcome = run({"ops", "--data", "data", "--device", "cuda"});
  unsetenv("TERN_CUDA_LIBRARY");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, StartsWith("tern-bench: device cuda cannot be used: /absent/"));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
}

TEST_F(Program, ALibraryThatIsNotItsOwnIsRefused) {
  for (const char* path : {"/absent/libtern_bench_cuda.so", "libm.so.6"}) {
    setenv("TERN_BENCH_CUDA_LIBRARY", path, 1);
    expect_refused({"ops", "--device", "cuda", "--list"}, 1, "CUDA cannot be benchmarked: ");
  }
  unsetenv("TERN_BENCH_CUDA_LIBRARY");
}

#ifdef TERN_BENCH_CUDA_LIBRARY
// Loads the library, which needs CUDA's libraries but no GPU.
TEST_F(Program, ListsTheRivalsOfAGpu) {
  setenv("TERN_BENCH_CUDA_LIBRARY", TERN_BENCH_CUDA_LIBRARY, 1);
  const Outcome outcome = run({"ops", "--device", "cuda", "--list"});
  unsetenv("TERN_BENCH_CUDA_LIBRARY");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* name :
       {"propagate/to_users/tern", "propagate/to_users/cusparse_alg1",
        "propagate/to_items/cusparse_alg2", "propagate/to_users/cusparse_alg3",
        "propagate/to_users/row_per_warp", "propagate/to_users/row_per_block",
        "propagate/to_items/merge_path", "propagate/to_users/edge_scatter",
        "propagate/from_batch_to_users/push_rows", "bpr/batch/cub_segmented_sum",
        "adam/dense/thrust_for_each", "sgd/dense/cublas_axpy",
        "score_topk/2048_users/cublas_and_sort", "embedding_statistics/items/cublas_gram"}) {
    EXPECT_THAT(outcome.out, HasSubstr(std::string(name) + "\n"));
  }
  EXPECT_THAT(outcome.out, Not(HasSubstr("eigen")));
}
#endif

}  // namespace
}  // namespace tern::test
