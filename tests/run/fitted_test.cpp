// The arrays of a model that is fitted without training, as a run keeps them.

#include <string>
#include <utility>
#include <vector>

#include "host/run/checkpoint.hpp"
#include "tests/run/run_fixture.hpp"

namespace tern::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class FittedRun : public RunTest {
 protected:
  FittedRun() { config.model.kind = ModelKind::kEase; }

  static TensorFile some_arrays() {
    TensorFile file;
    file.tensors["item_weights"] = {{2, 2}, std::vector<float>{0.0F, 0.5F, -0.25F, 0.0F}};
    return file;
  }
  std::string read_complaint() const {
    return complaint([&] { Run::open(path).read_fitted(); });
  }

  const fs::path file = path / "fitted.safetensors";
};

TEST_F(FittedRun, IsCompleteWithItsArraysAndReadsThemBack) {
  Run run = create();
  EXPECT_FALSE(run.has_fitted());
  EXPECT_THAT(read_complaint(), AllOf(HasSubstr("not complete"), HasSubstr("--resume")));
  run.write_fitted(some_arrays());
  EXPECT_TRUE(run.has_fitted());
  const TensorFile found = Run::open(path).read_fitted();
  EXPECT_EQ(found.tensors.at("item_weights").values,
            some_arrays().tensors.at("item_weights").values);
  EXPECT_EQ(found.metadata.at("model"), "ease");
}

TEST_F(FittedRun, DamagedArraysAreNeverUsed) {
  create().write_fitted(some_arrays());
  const std::string whole = read_text(file);
  std::string flipped = whole;
  flipped[flipped.size() - 3] ^= 1;
  for (const std::string& text : {flipped, whole.substr(0, whole.size() - 4), std::string()}) {
    write_text(file, text);
    EXPECT_THROW(Run::open(path).read_fitted(), DamagedCheckpoint);
    EXPECT_THAT(read_complaint(), HasSubstr("damaged"));
  }
}

TEST_F(FittedRun, ArraysOfOtherDataOrOfAnotherModelAreRefused) {
  create().write_fitted(some_arrays());
  const std::string ours = read_text(file);
  config.model.kind = ModelKind::kGraphFilter;
  create(Run::Overwrite::kYes);
  EXPECT_FALSE(fs::exists(file)) << "--overwrite removes the arrays of the former run";
  write_text(file, ours);
  EXPECT_THAT(read_complaint(), HasSubstr("model is ease, expected graph_filter"));
  write_text(folder / "data/train.txt", "0 0 1\n1 1 2\n2 0\n");
  config.model.kind = ModelKind::kEase;
  data = load_dataset(config.data_path, config.data);
  create(Run::Overwrite::kYes);
  write_text(file, ours);
  EXPECT_THAT(read_complaint(), HasSubstr("data_fingerprint"));
}

TEST_F(FittedRun, ADirectoryIsCheckedBeforeTheWork) {
  const auto check = [](const fs::path& place, Run::Overwrite overwrite) {
    Run::expect_room_for_run(place, overwrite);
  };
  check(path, Run::Overwrite::kNo);
  EXPECT_FALSE(fs::exists(path)) << "a check writes nothing";
  EXPECT_THROW(check(folder / "data/train.txt", Run::Overwrite::kNo), Error);
  EXPECT_THROW(check(folder / "data/train.txt/run", Run::Overwrite::kNo), Error);
  write_text(folder / "data/fitted.safetensors", "somebody's");
  EXPECT_THROW(check(folder / "data", Run::Overwrite::kNo), Error);
  EXPECT_THROW(check(folder / "data", Run::Overwrite::kYes), Error);
  create();
  EXPECT_THROW(check(path, Run::Overwrite::kNo), Error);
  check(path, Run::Overwrite::kYes);
}

TEST_F(FittedRun, SpaceIsCheckedWithTheBytesOfTheArrays) {
  check_fitted_space(path, config, data, 1000);
  try {
    check_fitted_space(path, config, data, std::int64_t{1} << 60);
    FAIL() << "an exabyte has no room";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("not enough disk space"), HasSubstr("free: make")));
  }
}

}  // namespace
}  // namespace tern::test
