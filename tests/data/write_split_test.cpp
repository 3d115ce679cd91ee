#include "host/data/write_split.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tern/error.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern::testing {
namespace {

namespace fs = std::filesystem;
using test::TemporaryDirectory;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

TEST(WriteSplit, LeavesNoFileIfALaterOneCannotBeWritten) {
  const TemporaryDirectory directory;
  const fs::path from = directory.write("films.csv", "user,item\na,x\na,y\nb,x\nb,y\nb,z\n");
  DataOptions options;
  options.valid_fraction = 0.0;
  options.test_fraction = 0.5;
  const Dataset data = load_dataset(from, options);
  const fs::path to = directory.path() / "parts";
  // No file can take the place of a directory that has an entry.
  fs::create_directories(to / "test.tsv" / "entry");
  EXPECT_THROW(write_split(from, data, to), Error);
  EXPECT_THAT(names_in(to), ElementsAre("test.tsv"));
  fs::remove_all(to / "test.tsv");
  EXPECT_THAT(names_in(to), IsEmpty());
  EXPECT_THAT(write_split(from, data, to), ElementsAre("train.tsv", "test.tsv"));
}

}  // namespace
}  // namespace tern::testing
