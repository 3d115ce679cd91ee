// The lines that show the progress of a training, with a clock and widths that the tests set.

#include "host/cli/progress_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <clocale>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "host/cli/columns.hpp"
#include "host/cli/console.hpp"
#include "host/cli/progress.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr ProgressText::Time kStart{};

TEST(Columns, CountWhatATerminalShows) {
  EXPECT_EQ(columns_of(""), 0u);
  EXPECT_EQ(columns_of("epoch 3"), 7u);
  EXPECT_EQ(columns_of("José"), 4u);
  EXPECT_EQ(columns_of("Jose\u0301"), 4u);  // the accent is a character of its own
  EXPECT_EQ(columns_of("用户"), 4u);
  EXPECT_EQ(columns_of("\U0001F426"), 2u);
  EXPECT_EQ(columns_of("\xff\xfe!"), 3u);   // not UTF-8
  EXPECT_EQ(columns_of("用\xe6\x88"), 4u);  // ends within a character
}

TEST(Columns, AreCutBetweenCharacters) {
  EXPECT_EQ(first_columns("用户 a", 4), "用户");
  EXPECT_EQ(first_columns("用户 a", 3), "用");
  EXPECT_EQ(first_columns("用户 a", 100), "用户 a");
  EXPECT_EQ(first_columns("用户 a", 0), "");
  EXPECT_EQ(first_columns("Jose\u0301s", 4), "Jose\u0301");
}

TEST(Columns, LeaveTheLocaleOfTheProgramAlone) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  columns_of("用户");
  EXPECT_EQ(std::setlocale(LC_ALL, nullptr), before);
  EXPECT_EQ(MB_CUR_MAX, 1u);  // the locale "C"
}

TEST(FitLine, DropsTheLeastImportantPartsFirst) {
  const std::vector<LinePart> parts{{"first", 0}, {"second", 2}, {"", 9}, {"third", 1}};
  EXPECT_EQ(fit_line(parts, kNoLimit), "first  second  third");
  EXPECT_EQ(fit_line(parts, 20), "first  second  third");
  EXPECT_EQ(fit_line(parts, 19), "first  third");
  EXPECT_EQ(fit_line(parts, 11), "first");
  EXPECT_EQ(fit_line(parts, 3), "fir");
  EXPECT_EQ(fit_line({{"用户用户", 0}, {"b", 1}}, 7), "用户用");
  EXPECT_EQ(fit_line({{"a", 0}, {"longer", 1}, {"b", 2}}, 5), "a  b");
  EXPECT_EQ(fit_line({{"a", 0}, {"longer", 1}, {"b", 2, true}}, 5), "a");
  EXPECT_EQ(fit_line({{"a", 0}, {"longer", 1}, {"b", 2, true}}, 12), "a  longer  b");
}

EpochRecord record_of(int epoch, double ndcg, double best_before) {
  EpochRecord record;
  record.epoch = epoch;
  record.loss = 0.41234;
  record.seconds = 4.0;
  record.triplets_per_second = 250000.0;
  record.metrics = Metrics{{"ndcg@20", ndcg}};
  record.best = ndcg > best_before;
  record.users.rows = record.items.rows = 10;
  record.users.mean_norm = 5.125;
  record.items.mean_norm = 6.25;
  record.users.mean_cosine = 0.5;
  record.items.mean_cosine = 0.25;
  record.users.effective_rank = 46.0;
  record.items.effective_rank = 49.5;
  record.user_gradient_norm = 0.125;
  record.item_gradient_norm = 0.0625;
  return record;
}

TrainingProgress progress_of(int epoch, std::int64_t step, std::int64_t steps) {
  TrainingProgress progress;
  progress.epoch = epoch;
  progress.step = step;
  progress.steps = steps;
  return progress;
}

/// A training of 100 epochs in its third epoch, of which 250 of 1,000 steps took 2 seconds.
class ThirdEpoch : public testing::Test {
 protected:
  ThirdEpoch() {
    text_.on_epoch(record_of(1, 0.15, 0.0), kStart + seconds(4));
    text_.on_epoch(record_of(2, 0.125, 0.15), kStart + seconds(8));
    text_.on_step({.epoch = 3, .step = 250, .steps = 1000, .triplets = 1'000'000, .loss = {}});
  }

  const ProgressText::Time now_ = kStart + seconds(10);
  ProgressText text_{{100, "ndcg@20", "triplets"}, progress_of(0, 0, 1000), kStart};
};

TEST_F(ThirdEpoch, HasALiveLineForEachWidth) {
  EXPECT_EQ(text_.live(300, now_),
            "epoch   3/100   25%  loss 0.4123  best ndcg@20 0.1500  (epoch 1)  125,000 triplets/s  "
            "7:14 left");
  EXPECT_EQ(text_.live(140, now_), text_.live(300, now_));
  EXPECT_EQ(text_.live(80, now_),
            "epoch   3/100   25%  loss 0.4123  best ndcg@20 0.1500  (epoch 1)  7:14 left");
  EXPECT_EQ(text_.live(40, now_), "epoch   3/100   25%  best ndcg@20 0.1500");
  EXPECT_EQ(text_.live(39, now_), "epoch   3/100   25%  7:14 left");
  EXPECT_EQ(text_.live(20, now_), "epoch   3/100   25%");
}

TEST_F(ThirdEpoch, HasLinesThatFitEveryWidth) {
  for (std::size_t columns = 1; columns <= 300; ++columns) {
    for (const std::string& line :
         {text_.live(columns, now_), text_.epoch_line(columns), text_.health_line(columns)}) {
      EXPECT_LE(columns_of(line), columns) << line;
      EXPECT_FALSE(line.empty());
    }
  }
}

TEST_F(ThirdEpoch, KnowsTheLossOnceItHasBeenRead) {
  text_.on_step({.epoch = 3, .step = 251, .steps = 1000, .triplets = 1'000'000, .loss = 0.25});
  EXPECT_THAT(text_.live(300, now_), HasSubstr("loss 0.2500"));
}

TEST_F(ThirdEpoch, EpochsAreShortLines) {
  EXPECT_EQ(
      text_.epoch_line(kNoLimit),
      "epoch   2/100  loss  0.4123  ndcg@20 0.1250  best 0.1500 (epoch 1)  250,000 triplets/s "
      " 4.00 s");
  text_.on_epoch(record_of(3, 0.16, 0.15), now_);
  EXPECT_EQ(text_.epoch_line(kNoLimit),
            "epoch   3/100  loss  0.4123  ndcg@20 0.1600 (best)  250,000 triplets/s  4.00 s");
  EXPECT_EQ(text_.epoch_line(40), "epoch   3/100  ndcg@20 0.1600 (best)");
  EXPECT_EQ(text_.epoch_line(30), "epoch   3/100  loss  0.4123");
  EXPECT_EQ(text_.health_line(kNoLimit),
            "epoch   3/100  norm 5.125/6.250  cosine 0.50/0.25  rank 46.0/49.5  gradient "
            "0.1250/0.0625");
  EpochRecord unchecked;
  unchecked.epoch = 4;
  text_.on_epoch(unchecked, now_);
  EXPECT_EQ(text_.health_line(kNoLimit), "");
  EXPECT_THAT(text_.epoch_line(kNoLimit),
              AllOf(Not(HasSubstr("ndcg")), HasSubstr("best 0.1600 (epoch 3)")));
}

TEST_F(ThirdEpoch, AtTheEndOfAnEpochTheRateIsThatOfTheEpoch) {
  text_.on_epoch(record_of(3, 0.1, 0.15), now_);
  EXPECT_THAT(text_.live(300, now_ + seconds(5)),
              AllOf(HasSubstr("epoch   3/100  100%"), HasSubstr("250,000 triplets/s")));
  text_.on_step({.epoch = 4, .step = 1, .steps = 1000, .triplets = 1'000'000, .loss = {}});
  EXPECT_THAT(text_.live(300, now_ + milliseconds(10)),
              AllOf(HasSubstr("epoch   4/100    0%"), HasSubstr("100,000 triplets/s")));
}

TEST_F(ThirdEpoch, APlainLineComesEveryHalfMinute) {
  // The last line was that of epoch 2, after 8 seconds.
  EXPECT_EQ(text_.next_line(kStart + milliseconds(37'999)), std::nullopt);
  EXPECT_EQ(text_.next_line(kStart + seconds(38)),
            "epoch   3/100  step 250 of 1,000  8,333 triplets/s  27:31 left");
  EXPECT_EQ(text_.next_line(kStart + milliseconds(67'999)), std::nullopt);
  EXPECT_NE(text_.next_line(kStart + seconds(68)), std::nullopt);
  text_.on_epoch(record_of(3, 0.1, 0.15), kStart + seconds(90));
  EXPECT_EQ(text_.next_line(kStart + seconds(119)), std::nullopt);
  EXPECT_NE(text_.next_line(kStart + seconds(120)), std::nullopt);
}

TEST(ProgressText, NamesWhatAnEpochConsistsOf) {
  ProgressText text({100, "ndcg@20", "pairs"}, progress_of(0, 0, 1000), kStart);
  text.on_epoch(record_of(1, 0.15, 0.0), kStart + seconds(4));
  EXPECT_THAT(text.epoch_line(kNoLimit), HasSubstr("250,000 pairs/s"));
  EXPECT_THAT(text.live(kNoLimit, kStart + seconds(4)), HasSubstr("250,000 pairs/s"));
}

TEST(Progress, ALongEpochLeavesALineEveryHalfMinute) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path log = directory / "log.txt";
  ProgressText::Time now = kStart;
  Console console(Console::Mode::kQuiet);
  console.open_log(log);
  Progress progress(console, {2, "ndcg@20", "pairs"}, progress_of(0, 0, 1000), [&] { return now; });
  // A step takes a second.
  for (int step = 1; step <= 100; ++step) {
    now += seconds(1);
    progress.on_step({.epoch = 1, .step = step, .steps = 1000, .triplets = 1000, .loss = {}});
  }
  std::ifstream file(log);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line.substr(33));
  EXPECT_THAT(lines,
              testing::ElementsAre("epoch 1/2  step 30 of 1,000  1.000 pairs/s  32:50 left",
                                   "epoch 1/2  step 60 of 1,000  1.000 pairs/s  32:20 left",
                                   "epoch 1/2  step 90 of 1,000  1.000 pairs/s  31:50 left"));
}

TEST(ProgressText, AResumedTrainingStartsWithItsBestEpoch) {
  TrainingProgress begin = progress_of(4, 50, 100);
  begin.best_epoch = 3;
  begin.best_metric = 0.5;
  ProgressText text({10, "recall@5", "triplets"}, begin, kStart);
  EXPECT_EQ(text.live(kNoLimit, kStart), "epoch  5/10   50%  best recall@5 0.5000  (epoch 3)");
  text.on_step({.epoch = 5, .step = 75, .steps = 100, .triplets = 1000, .loss = {}});
  // A quarter of an epoch in 5 seconds; 5.25 epochs are left.
  EXPECT_EQ(text.live(kNoLimit, kStart + seconds(5)),
            "epoch  5/10   75%  best recall@5 0.5000  (epoch 3)  50.00 triplets/s  1:45 left");
}

}  // namespace
}  // namespace tern::cli
