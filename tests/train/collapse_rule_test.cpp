// The rule of the collapse monitor, on sequences of statistics made by hand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "host/train/monitor.hpp"

namespace tern::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// The figures of one check.
struct Look {
  double norm = 2.0;
  double cosine = 0.1;
  double rank = 30.0;
};

EmbeddingStatistics statistics_of(const Look& look) {
  EmbeddingStatistics statistics;
  statistics.rows = 100;
  statistics.mean_norm = look.norm;
  statistics.mean_cosine = look.cosine;
  statistics.effective_rank = look.rank;
  return statistics;
}

/// The findings of each check, one after the other.
std::vector<std::vector<std::string>> checked(double first_rank, const std::vector<Look>& looks,
                                              const MonitorOptions& options = {}) {
  CollapseWatch watch{.first_rank = first_rank, .first_norm = {}, .last_norm = {}};
  std::vector<std::vector<std::string>> found;
  for (const Look& look : looks) {
    found.push_back(find_collapse("users", statistics_of(look), 64, options, watch));
  }
  return found;
}

MATCHER(IsSilent, "has no finding") {
  for (const std::vector<std::string>& findings : arg) {
    if (!findings.empty()) {
      *result_listener << findings.front();
      return false;
    }
  }
  return true;
}

TEST(CollapseRule, ALargeNormIsReportedAtOnce) {
  EXPECT_THAT(checked(60.0, {{.norm = 1.0001e4}}),
              ElementsAre(ElementsAre("the mean norm of users is 1e+04 (monitor.max_norm 10000)")));
  EXPECT_THAT(checked(60.0, {{.norm = 1e4}, {.norm = 1e4}}), IsSilent());
}

TEST(CollapseRule, GrownNormsOfParallelRowsAreReportedAtTheSecondLook) {
  const Look first{.norm = 1.0, .cosine = 0.2};
  EXPECT_THAT(checked(60.0, {first, {10.5, 0.96}, {12.0, 0.96}, {14.0, 0.96}}),
              ElementsAre(IsEmpty(), IsEmpty(),
                          ElementsAre("the mean norm of users has grown from 1 to 12, and their "
                                      "mean cosine is 0.9600 (monitor.max_mean_cosine 0.95)"),
                          SizeIs(1)));
  // Without a large cosine, or without the tenfold growth, or if growth has ended, it is healthy.
  EXPECT_THAT(checked(60.0, {first, {50.0, 0.95}, {80.0, 0.9}, {120.0, 0.5}}), IsSilent());
  EXPECT_THAT(checked(60.0, {first, {3.0, 1.0}, {6.0, 1.0}, {10.0, 1.0}}), IsSilent());
  EXPECT_THAT(checked(60.0, {first, {10.5, 1.0}, {11.5, 1.0}, {12.6, 1.0}, {13.8, 1.0}}),
              IsSilent());
}

TEST(CollapseRule, ASmallRankIsReportedAtTheSecondLook) {
  EXPECT_THAT(
      checked(60.0, {{}, {.rank = 1.99}, {.rank = 1.5}}),
      ElementsAre(IsEmpty(), IsEmpty(),
                  ElementsAre("the effective rank of users is 1.50, after 60.0 at the start "
                              "(monitor.min_rank 2)")));
  EXPECT_THAT(checked(60.0, {{.rank = 2.0}, {.rank = 2.0}}), IsSilent());
  // The limit can be moved, and turned off.
  EXPECT_THAT(checked(60.0, {{.rank = 4.9}, {.rank = 4.9}}, {.min_rank = 5.0}),
              ElementsAre(IsEmpty(), SizeIs(1)));
  EXPECT_THAT(checked(60.0, {{.rank = 1.0}, {.rank = 1.0}}, {.min_rank = 0.0}), IsSilent());
}

TEST(CollapseRule, ASignThatPassesIsForgotten) {
  const Look first{.norm = 1.0};
  const Look flat{.norm = 1.0, .rank = 1.2};
  const Look grown{.norm = 20.0, .cosine = 0.99};
  EXPECT_THAT(checked(60.0, {first, flat, first, flat, first}), IsSilent());
  EXPECT_THAT(checked(60.0, {first, grown, first, grown, first}), IsSilent());
  EXPECT_THAT(checked(60.0, {first, flat, grown, flat, grown}), IsSilent());  // one of each
}

TEST(CollapseRule, HealthyTrainingsAreSilent) {
  // Popularity alone makes the rows of a small data set parallel.
  EXPECT_THAT(checked(50.0, {{1.0, 0.9, 20.0}, {3.0, 0.97, 15.0}, {5.0, 0.97, 15.0}}), IsSilent());
  EXPECT_THAT(checked(60.0, {{.rank = 60.0}, {.rank = 30.0}, {.rank = 15.0}, {.rank = 15.0}}),
              IsSilent());
  // A narrow model: the rank at the start is small already.
  EXPECT_THAT(checked(4.0, {{.rank = 3.0}, {.rank = 1.4}, {.rank = 1.1}, {.rank = 1.01}}),
              IsSilent());
  EXPECT_THAT(checked(6.0, {{.rank = 1.6}, {.rank = 1.5}, {.rank = 1.6}}), IsSilent());
  // Norms grow, and the rows stay different.
  EXPECT_THAT(checked(60.0, {{.norm = 0.2}, {.norm = 3.0}, {.norm = 9.0}, {.norm = 30.0}}),
              IsSilent());
}

TEST(CollapseRule, WithoutAStartTheFirstCheckCounts) {
  // As in a run that an earlier version began.
  CollapseWatch watch;
  const MonitorOptions options;
  const auto check = [&](double rank) {
    return find_collapse("items", statistics_of({.rank = rank}), 64, options, watch);
  };
  EXPECT_THAT(check(12.0), IsEmpty());
  EXPECT_EQ(watch.first_rank, 12.0);
  EXPECT_EQ(watch.first_norm, 2.0);
  EXPECT_THAT(check(1.9), IsEmpty());
  EXPECT_THAT(check(1.9), ElementsAre(HasSubstr("items is 1.90, after 12.0 at the start")));
}

TEST(CollapseRule, AsksNoMoreThanATableCanHave) {
  const Look flat{.norm = 50.0, .cosine = 1.0, .rank = 1.0};
  const auto findings = [&](std::int64_t rows, std::int64_t width) {
    CollapseWatch watch{60.0, 1.0, 20.0, 1, 1};
    EmbeddingStatistics statistics = statistics_of(flat);
    statistics.rows = rows;
    return find_collapse("users", statistics, width, {}, watch);
  };
  EXPECT_THAT(findings(2, 2), SizeIs(2));
  EXPECT_THAT(findings(100, 1), IsEmpty());  // numbers are always parallel
  EXPECT_THAT(findings(1, 64), IsEmpty());
}

}  // namespace
}  // namespace tern::test
