// The shares of the processes of one run: blocks are shared out, and come together again.

#include "bench/support/shares.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/support/child.hpp"
#include "tern/error.hpp"

namespace tern::test {
namespace {

using bench::Bound;
using bench::CacheState;
using bench::Cases;
using bench::MeasuredTable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

MeasuredTable empty_table() {
  const Cases cases{{"a", "x", "tern", Bound::kCopy, {}, bench::kReadsBatch},
                    {"a", "x", "rival", Bound::kCopy, {}}};
  return bench::unmeasured(cases, 8, 16, {CacheState::kEvicted});
}

/// What a process measures: blocks of about `seconds`.
MeasuredTable measured(int process, double seconds) {
  MeasuredTable table = empty_table();
  for (bench::Result& result : table.results) {
    result.cost = {.bytes = 1.0 / 3.0, .flops = 2.0, .written = 3.0, .gathered = 4.0};
    result.table = Side::kItem;
    result.blocks = {seconds, seconds / 3.0};
    result.processes = {process, process};
    result.runs = 5;
  }
  bench::Ceilings& ceilings = table.ceilings.at(CacheState::kEvicted);
  ceilings.gather_slack = 3.0;
  ceilings.product.rates = {seconds * 1e9};
  ceilings.at(bench::Place::kItems).gather.rates = {1e9, 2e9};
  return table;
}

TEST(Shares, ComeTogetherAsTheyWereMeasured) {
  MeasuredTable table = empty_table();
  append_share(table, share_text(measured(0, 0.1)));
  append_share(table, share_text(measured(1, 0.2)));
  ASSERT_EQ(table.results.size(), 2u);
  const bench::Result& first = table.results.front();
  EXPECT_EQ(first.name(), "a/x/tern");
  EXPECT_EQ(first.width, 8);
  EXPECT_EQ(first.batch, 16);
  EXPECT_EQ(table.results.back().batch, 0);
  EXPECT_THAT(first.blocks, ElementsAre(0.1, 0.1 / 3.0, 0.2, 0.2 / 3.0));
  EXPECT_THAT(first.processes, ElementsAre(0, 0, 1, 1));
  EXPECT_EQ(first.runs, 10);
  EXPECT_EQ(first.cost, measured(0, 1).results.front().cost);
  EXPECT_EQ(first.table, Side::kItem);
  const bench::Ceilings& ceilings = table.ceilings.at(CacheState::kEvicted);
  EXPECT_EQ(ceilings.gather_slack, 3.0);
  EXPECT_THAT(ceilings.product.rates, ElementsAre(0.1 * 1e9, 0.2 * 1e9));
  EXPECT_THAT(ceilings.at(bench::Place::kItems).gather.rates, ElementsAre(1e9, 2e9, 1e9, 2e9));
  EXPECT_THAT(ceilings.at(bench::Place::kUsers).gather.rates, IsEmpty());
}

TEST(Shares, ACaseThatIsWrongInOneProcessIsRefused) {
  for (const int wrong : {0, 1}) {
    MeasuredTable table = empty_table();
    for (const int process : {0, 1}) {
      MeasuredTable share = measured(process, 0.1);
      if (process == wrong) {
        share.results[1].problem = "element (0, 0) is \xff";
        share.results[1].blocks.clear();
        share.results[1].processes.clear();
      }
      append_share(table, share_text(share));
    }
    EXPECT_EQ(table.results[0].blocks.size(), 4u);
    EXPECT_THAT(table.results[1].problem, HasSubstr("element (0, 0) is "));
    EXPECT_THAT(table.results[1].blocks, IsEmpty());
    EXPECT_THAT(table.results[1].processes, IsEmpty());
  }
}

TEST(Shares, OfAnotherRunAreRefused) {
  MeasuredTable table = empty_table();
  MeasuredTable fewer = measured(0, 0.1);
  fewer.results.pop_back();
  EXPECT_THAT([&] { append_share(table, share_text(fewer)); },
              ThrowsMessage<Error>(HasSubstr("measured 1 results, expected 2")));
  for (const char* text : {"", "{}", "[1, 2]", "{\"results\": [1, 2]}"}) {
    EXPECT_THAT([&] { append_share(table, text); },
                ThrowsMessage<Error>(HasSubstr("a process of the run gave no results")))
        << text;
  }
}

TEST(Shares, BlocksAreSharedOutAndTakeTheSameTime) {
  const bench::RunOptions run{.seconds = 1.2, .blocks = 12, .seed = 7};
  for (const int processes : {1, 5, 6, 12}) {
    int blocks = 0;
    for (int process = 0; process < processes; ++process) {
      const bench::RunOptions own = options_of_process(run, process, processes);
      EXPECT_GE(own.blocks, 12 / processes);
      EXPECT_LE(own.blocks, (12 + processes - 1) / processes);
      EXPECT_DOUBLE_EQ(own.seconds / own.blocks, 0.1);
      EXPECT_EQ(own.seed, 7u + static_cast<unsigned>(process));
      EXPECT_EQ(own.process, process);
      blocks += own.blocks;
    }
    EXPECT_EQ(blocks, 12);
  }
}

TEST(Child, ReturnsWhatTheProgramWrites) {
  EXPECT_THAT(bench::run_again({"--gtest_list_tests", "--gtest_filter=Child.*"}),
              HasSubstr("ReturnsWhatTheProgramWrites"));
}

/// The test program aborts if it cannot write its report.
TEST(Child, WhoseEndIsBadIsAnError) {
  EXPECT_THAT(
      [] {
        bench::run_again({"--gtest_filter=none", "--gtest_output=xml:/proc/absent/out.xml"});
      },
      ThrowsMessage<Error>(HasSubstr("a process of the run was killed by signal 6")));
}

}  // namespace
}  // namespace tern::test
