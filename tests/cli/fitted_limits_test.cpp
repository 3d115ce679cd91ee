// The limits of tern train --model ease: signals, memory, sizes, files that others made.

#include <signal.h>

#include <filesystem>

#include "host/run/checkpoint.hpp"
#include "tern/tensor_file.hpp"
#include "tests/cli/workspace.hpp"

namespace tern::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

using FittedLimits = Workspace;

// A file that somebody else made, with the checksum that its contents give.
TEST_F(FittedLimits, NamesAndShapesOfAForeignFileAreNotExported) {
  write_films();
  ASSERT_EQ(run({"train", "films", "--model", "ease", "--out", "ease", "--set", "evaluation.ks=[5]",
                 "--set", "train.metric=ndcg@5"})
                .exit_code,
            0);
  const TensorFile ours = read_safetensors(path("ease/fitted.safetensors"));
  const Tensor& weights = ours.tensors.at("item_weights");
  TensorFile outside = ours;
  outside.tensors.clear();
  outside.tensors["../outside"] = weights;
  TensorFile flat = ours;
  flat.tensors["item_weights"].shape = {weights.shape[0] * weights.shape[1]};
  for (const TensorFile& foreign : {outside, flat}) {
    write_checkpoint(path("ease/fitted.safetensors"), foreign);
    for (const char* format : {"npy", "safetensors"}) {
      EXPECT_THAT(run({"export", "ease", "--to", "b", "--format", format}),
                  FailsAtOnceWith(65, "the tensor item_weights "));
    }
    EXPECT_THAT(run({"evaluate", "ease"}),
                FailsAtOnceWith(65,
                                "; to fit the model again: remove this file, then: tern train "
                                "--resume ease\n"));
  }
  TensorFile more = ours;
  more.tensors["../outside"] = weights;
  write_checkpoint(path("ease/fitted.safetensors"), more);
  EXPECT_EQ(run({"export", "ease", "--to", "b"}).exit_code, 0);
  write_checkpoint(path("ease/fitted.safetensors"), flat);
  std::filesystem::remove(path("ease/fitted.safetensors"));
  std::filesystem::remove_all(path("films"));  // the run has a copy of its data
  EXPECT_EQ(run({"train", "--resume", "ease"}).exit_code, 0);
  EXPECT_EQ(read_safetensors(path("ease/fitted.safetensors")).tensors.at("item_weights").values,
            weights.values);
  EXPECT_TRUE(exists("b/item_weights.npy"));
  EXPECT_FALSE(exists("outside.npy"));
}

// 8000 items: 5·10¹¹ multiplications, mostly longer than the signal takes. If not, the run is whole.
TEST_F(FittedLimits, ASignalEndsAFitAndLeavesNothingOrTheWholeRun) {
  ASSERT_EQ(run({"generate", "--to", "data", "--users", "9000", "--items", "8000", "--interactions",
                 "150000", "--quiet"})
                .exit_code,
            0);
  for (const int signal : {SIGTERM, SIGINT}) {
    Child child(directory_, {"train", "data", "--model", "ease", "--out", "run"});
    ASSERT_TRUE(child.wait_for_error_text("The model takes"));
    child.kill(signal);
    const Outcome outcome = child.finish();
    if (outcome.exit_code == 0) {
      EXPECT_EQ(outcome.out, "run\n");
      EXPECT_THAT(run({"train", "--resume", "run"}).err, HasSubstr("nothing to do"));
      std::filesystem::remove_all(path("run"));
      continue;
    }
    EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("before there was anything to save"));
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_FALSE(exists("run"));
  }
}

TEST_F(FittedLimits, AShortageOfMemoryIsOneLineWithTheNeed) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer needs terabytes of address space";
#endif
  ASSERT_EQ(run({"generate", "--to", "data", "--users", "9000", "--items", "8000", "--interactions",
                 "150000", "--quiet"})
                .exit_code,
            0);
  Streams streams;
  streams.address_space = 600'000'000;
  EXPECT_THAT(run({"train", "data", "--model", "ease", "--out", "run", "--threads", "2"}, streams),
              FailsWith(1, "needed, "));
  EXPECT_FALSE(exists("run"));
}

TEST_F(FittedLimits, TooManyItemsAreRefusedBeforeTheWork) {
  std::string text = "user\titem\n";
  for (int item = 0; item < 60'001; ++item) {
    for (const int user : {item % 40, (item + 1) % 40, (item + 7) % 40}) {
      text += "u" + std::to_string(user) + "\ti" + std::to_string(item) + "\n";
    }
  }
  write("many/interactions.tsv", text);
  EXPECT_THAT(run({"train", "many", "--model", "ease", "--out", "run", "--set", "data.k_core=0"}),
              FailsWith(2, "found 60001 items, expected at most 60000"));
  EXPECT_FALSE(exists("run"));
}

}  // namespace
}  // namespace tern::test
