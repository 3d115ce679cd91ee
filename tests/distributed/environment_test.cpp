// The place of a rank by the variables of launchers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "host/distributed/environment.hpp"
#include "tern/error.hpp"

namespace tern::test {
namespace {

using distributed::RankPlace;
using ::testing::HasSubstr;

using Variables = std::map<std::string, std::string>;

std::optional<RankPlace> place_in(const Variables& variables) {
  return distributed::find_place([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

std::string problem_in(const Variables& variables) {
  try {
    place_in(variables);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(RankPlace, IsNoneForAProcessAlone) {
  EXPECT_FALSE(place_in({}));
  EXPECT_FALSE(place_in({{"TERN_RANK", "0"}, {"TERN_RANKS", "1"}}));
  EXPECT_FALSE(place_in({{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "1"}}));
  // A batch script of SLURM without srun is one process, whatever it may start.
  EXPECT_FALSE(place_in({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}}));
}

TEST(RankPlace, IsSetByHandFirst) {
  const auto place = place_in({{"TERN_RANK", "2"},
                               {"TERN_RANKS", "3"},
                               {"TERN_MASTER", "node7:5000"},
                               {"OMPI_COMM_WORLD_RANK", "0"},
                               {"OMPI_COMM_WORLD_SIZE", "8"}});
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 2);
  EXPECT_EQ(place->ranks, 3);
  EXPECT_EQ(distributed::to_text(place->master), "node7:5000");
}

TEST(RankPlace, OfMpirunOnOneHostNeedsNoMaster) {
  Variables variables{{"OMPI_COMM_WORLD_RANK", "1"},
                      {"OMPI_COMM_WORLD_SIZE", "4"},
                      {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
                      {"PMIX_NAMESPACE", "1234@1"}};
  const auto place = place_in(variables);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 1);
  EXPECT_EQ(place->master.host, "127.0.0.1");
  variables["OMPI_COMM_WORLD_RANK"] = "3";
  EXPECT_EQ(place_in(variables)->master.port, place->master.port);
  variables["OMPI_COMM_WORLD_LOCAL_SIZE"] = "2";
  EXPECT_THAT(problem_in(variables), HasSubstr("TERN_MASTER is missing"));
  variables["TERN_MASTER"] = "node1:5000";
  EXPECT_EQ(place_in(variables)->master.host, "node1");
}

TEST(RankPlace, OfSrunIsOnTheFirstNode) {
  const auto place = place_in({{"SLURM_PROCID", "5"},
                               {"SLURM_STEP_NUM_TASKS", "8"},
                               {"SLURM_STEP_NODELIST", "node[07-09,12],gpu1"},
                               {"SLURM_JOB_ID", "77"},
                               {"SLURM_STEP_ID", "0"}});
  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 5);
  EXPECT_EQ(place->master.host, "node07");
}

TEST(RankPlace, NamesWrongVariables) {
  EXPECT_THAT(problem_in({{"TERN_RANK", "1"}}), HasSubstr("TERN_RANKS: found \"\""));
  EXPECT_THAT(problem_in({{"TERN_RANK", "3"}, {"TERN_RANKS", "3"}}),
              HasSubstr("TERN_RANK: found \"3\", expected a number from 0 to 2"));
  EXPECT_THAT(problem_in({{"TERN_RANK", "x"}, {"TERN_RANKS", "3"}}), HasSubstr("found \"x\""));
  EXPECT_THAT(problem_in({{"TERN_RANK", "0"}, {"TERN_RANKS", "3"}}), HasSubstr("TERN_MASTER"));
}

TEST(FirstHost, OfListsOfSlurm) {
  EXPECT_EQ(distributed::first_host("node7"), "node7");
  EXPECT_EQ(distributed::first_host("a,b"), "a");
  EXPECT_EQ(distributed::first_host("node[1-3]"), "node1");
  EXPECT_EQ(distributed::first_host("n[3,5]-ib,x"), "n3-ib");
  EXPECT_EQ(distributed::first_host(""), "");
}

}  // namespace
}  // namespace tern::test
