#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tern/run.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/train/planted.hpp"

namespace tern::test {
namespace fs = std::filesystem;

inline void write_text(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

inline std::string read_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A small data set on disk, and a place for a run beside it.
class RunTest : public ::testing::Test {
 protected:
  using Run = tern::Run;  // not googletest's

  RunTest() {
    fs::create_directories(folder / "data");
    write_text(folder / "data/train.txt", "0 0 1 2\n1 1 2\n2 0\n");
    write_text(folder / "data/valid.txt", "0 3\n1 0\n");
    write_text(folder / "data/test.txt", "1 3\n2 1\n");
    config.data_path = (folder / "data").string();
    config.evaluation.ks = {2};
    config.metric = "recall@2";
    data = load_dataset(config.data_path, config.data);
  }

  Run create(Run::Overwrite overwrite = Run::Overwrite::kNo) {
    return Run::create(path, config, data, overwrite);
  }

  /// The message of a DataError of work(); it must name a place within the folder.
  template <typename Work>
  std::string complaint(Work work) const {
    try {
      work();
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(folder.string()));
      return error.what();
    }
    return "no complaint";
  }
  std::string open_complaint() const {
    return complaint([&] { Run::open(path); });
  }

  const TemporaryDirectory directory;
  const fs::path folder = directory.path();
  const fs::path path = folder / "runs/first";
  Config config = planted_config();
  Dataset data;
};

inline TensorFile some_parameters() {
  TensorFile file;
  file.tensors["user_embedding"] = {{3, 1}, std::vector<float>{1.0F, 2.0F, 3.0F}};
  return file;
}

/// A training state as a trainer might give it.
inline TrainingState some_state(int epoch, std::int64_t step = 0, int best_epoch = 0) {
  TrainingState state;
  state.tensors = some_parameters().tensors;
  state.tensors["optimizer.first_moment.user_embedding"] = {{3, 1}, std::vector<float>(3, 0.5F)};
  state.progress.epoch = epoch;
  state.progress.step = step;
  state.progress.steps = std::max<std::int64_t>(10, step);
  state.progress.best_epoch = best_epoch;
  state.progress.selected_epoch = best_epoch;
  return state;
}

inline std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace tern::test
