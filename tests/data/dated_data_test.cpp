// Data sets with timestamps, in one file or in several that are split anew.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tern/dataset.hpp"
#include "tests/data/data_files.hpp"
#include "tests/data/named_pairs.hpp"

namespace tern {
namespace {

using testing::complaint;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::named_pairs;
using testing::TemporaryDirectory;

TEST(LoadDatedData, SplitsTablesByTime) {
  const TemporaryDirectory directory;
  directory.write("interactions.csv",
                  "userId,itemId,timestamp\na,p,5\na,q,4\na,r,3\nb,p,9\nb,q,1\nc,r,2\n");
  DataOptions options;
  options.split = SplitMethod::kTime;
  options.test_fraction = 0.33;
  options.valid_fraction = 0.25;
  const Dataset by_time = load_dataset(directory.path(), options);
  EXPECT_THAT(named_pairs(by_time, by_time.test), ElementsAre("a p", "b p"));
  EXPECT_THAT(named_pairs(by_time, by_time.valid), ElementsAre("a q"));
  options.split = SplitMethod::kLeaveOneOut;
  options.valid_fraction.reset();
  const Dataset last = load_dataset(directory.path(), options);
  EXPECT_THAT(named_pairs(last, last.test), ElementsAre("a p", "b p"));
  EXPECT_THAT(named_pairs(last, last.valid), ElementsAre("a q"));
  EXPECT_THAT(named_pairs(last, last.train), ElementsAre("a r", "b q", "c r"));
}

/// A given split of dated tables. Some test rows are older than the training rows, some newer. Two of
/// the files hold "b p".
void write_dated_parts(const TemporaryDirectory& directory) {
  directory.write("train.csv", "userId,itemId,timestamp\na,p,50\na,q,10\nb,p,40\nb,r,20\nb,q,1\n");
  directory.write("valid.csv", "userId,itemId,timestamp\na,t,55\nb,t,2\n");
  directory.write("test.csv", "userId,itemId,timestamp\na,r,5\na,s,60\nb,s,30\nb,p,3\n");
}

TEST(LoadDatedData, CutsDatedPartsAnewByTime) {
  const TemporaryDirectory directory;
  write_dated_parts(directory);
  DataOptions options;
  options.split = SplitMethod::kTime;
  options.test_fraction = 0.2;
  options.valid_fraction = 0.25;
  const Dataset data = load_dataset(directory.path(), options);
  EXPECT_EQ(data.duplicates, 1);
  EXPECT_THAT(named_pairs(data, data.test), ElementsAre("a s", "a t"));
  EXPECT_THAT(named_pairs(data, data.valid), ElementsAre("a p", "b p"));
  EXPECT_THAT(named_pairs(data, data.train), ElementsAre("a q", "a r", "b q", "b r", "b s", "b t"));
}

TEST(LoadDatedData, LeavesTheNewestOfDatedPartsOut) {
  const TemporaryDirectory directory;
  write_dated_parts(directory);
  DataOptions options;
  options.split = SplitMethod::kLeaveOneOut;
  const Dataset data = load_dataset(directory.path(), options);
  EXPECT_THAT(named_pairs(data, data.test), ElementsAre("a s", "b p"));
  EXPECT_THAT(named_pairs(data, data.valid), ElementsAre("a t", "b s"));
  EXPECT_THAT(named_pairs(data, data.train), ElementsAre("a p", "a q", "a r", "b q", "b r", "b t"));
  EXPECT_THAT(data.notes, Contains(HasSubstr("last interaction (by time)")));
}

TEST(LoadDatedData, AKCoreKeepsTheTimesOfWhatStays) {
  const TemporaryDirectory directory;
  // The 2-core is users a and b with items p and q. Rows that it drops precede rows that stay.
  directory.write("train.csv",
                  "userId,itemId,timestamp\nc,z,99\na,p,50\nc,y,97\na,q,10\nd,p,96\nb,p,40\n");
  directory.write("test.csv", "userId,itemId,timestamp\ne,q,95\nb,q,60\n");
  DataOptions options;
  options.k_core = 2;
  options.split = SplitMethod::kTime;
  options.test_fraction = 0.25;
  options.valid_fraction = 0.34;
  const Dataset data = load_dataset(directory.path(), options);
  EXPECT_THAT(named_pairs(data, data.test), ElementsAre("b q"));
  EXPECT_THAT(named_pairs(data, data.valid), ElementsAre("a p"));
  EXPECT_THAT(named_pairs(data, data.train), ElementsAre("a q", "b p"));
}

TEST(LoadDatedData, PartsAreDatedOnlyWhereAllOfThemAre) {
  const TemporaryDirectory directory;
  directory.write("train.csv", "userId,itemId,timestamp\na,p,50\na,q,60\na,r,10\n");
  directory.write("test.csv", "userId,itemId\na,s\n");
  directory.write("valid.csv", "userId,itemId\n");
  DataOptions options;
  options.split = SplitMethod::kTime;
  EXPECT_THAT(complaint<ConfigError>([&] { load_dataset(directory.path(), options); }),
              HasSubstr("there are no timestamps"));
  options.split = SplitMethod::kLeaveOneOut;
  const Dataset by_place = load_dataset(directory.path(), options);
  EXPECT_THAT(named_pairs(by_place, by_place.test), ElementsAre("a s"));
  EXPECT_THAT(named_pairs(by_place, by_place.valid), ElementsAre("a r"));
  // An empty file does not count as one without times.
  directory.write("test.csv", "userId,itemId,timestamp\na,s,1\n");
  const Dataset by_time = load_dataset(directory.path(), options);
  EXPECT_THAT(named_pairs(by_time, by_time.test), ElementsAre("a q"));
  EXPECT_THAT(named_pairs(by_time, by_time.valid), ElementsAre("a p"));
}

TEST(LoadDatedData, LeavesOneOutByPlaceWithoutTimes) {
  const TemporaryDirectory directory;
  directory.write("train.txt", "0 7 3 5\n");
  DataOptions options;
  options.split = SplitMethod::kLeaveOneOut;
  const Dataset data = load_dataset(directory.path(), options);
  EXPECT_THAT(named_pairs(data, data.test), ElementsAre("0 5"));
  EXPECT_THAT(named_pairs(data, data.valid), ElementsAre("0 3"));
  EXPECT_THAT(data.notes, Contains(HasSubstr("for lack of timestamps")));
}

}  // namespace
}  // namespace tern
