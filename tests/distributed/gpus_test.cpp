// Which GPU each rank takes.

#include "host/distributed/gpus.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tern::test {
namespace {

using distributed::share_gpus;
using ::testing::ElementsAre;

TEST(ShareGpus, RanksThatSeeTheSameTakeOneAfterTheOther) {
  EXPECT_THAT(share_gpus({{"a", {"1", "2"}}, {"a", {"1", "2"}}}), ElementsAre(0, 1));
}

TEST(ShareGpus, ARankThatSeesOneAloneTakesIt) {
  EXPECT_THAT(share_gpus({{"a", {"1"}}, {"a", {"2"}}, {"a", {"3"}}}), ElementsAre(0, 0, 0));
}

TEST(ShareGpus, HostsShareNothing) {
  EXPECT_THAT(share_gpus({{"a", {"1", "2"}}, {"b", {"1", "2"}}, {"a", {"1", "2"}}}),
              ElementsAre(0, 0, 1));
}

TEST(ShareGpus, ARankTooManyHasNone) {
  EXPECT_THAT(share_gpus({{"a", {"1", "2"}}, {"a", {"1", "2"}}, {"a", {"1", "2"}}, {"b", {}}}),
              ElementsAre(0, 1, -1, -1));
}

}  // namespace
}  // namespace tern::test
