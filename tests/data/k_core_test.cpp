#include "host/data/k_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

#include "tests/data/random_interactions.hpp"

namespace tern {
namespace {

using ::testing::ElementsAre;
using testing::random_interactions;

TEST(KCore, PeelsAChainByHand) {
  // A square of users {0, 1} and items {0, 1}, with a tail 1 - item 2 - user 2 - item 3.
  const std::vector<Interaction> pairs{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 2}, {2, 2}, {2, 3}};
  const KeptNodes kept = find_k_core(Interactions::from_pairs(4, 4, pairs), 2);
  EXPECT_THAT(kept.users, ElementsAre(1, 1, 0, 0));
  EXPECT_THAT(kept.items, ElementsAre(1, 1, 0, 0));
  const KeptNodes one = find_k_core(Interactions::from_pairs(4, 4, pairs), 1);
  EXPECT_THAT(one.users, ElementsAre(1, 1, 1, 0));
  const KeptNodes none = find_k_core(Interactions::from_pairs(4, 4, pairs), 3);
  EXPECT_THAT(none.users, ElementsAre(0, 0, 0, 0));
}

TEST(KCore, AgreesWithRepeatedFiltering) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    const Interactions all = random_interactions(300, 200, 2500, seed);
    for (const int k : {1, 3, 5, 8, 20}) {
      std::set<NodeId> users;
      std::set<NodeId> items;
      for (NodeId user = 0; user < all.num_users(); ++user) users.insert(user);
      for (NodeId item = 0; item < all.num_items(); ++item) items.insert(item);
      for (bool changed = true; changed;) {
        std::map<NodeId, int> user_degree;
        std::map<NodeId, int> item_degree;
        for (const NodeId user : users) {
          for (const NodeId item : all.row(user)) {
            if (!items.contains(item)) continue;
            ++user_degree[user];
            ++item_degree[item];
          }
        }
        changed = std::erase_if(users, [&](NodeId user) { return user_degree[user] < k; }) > 0;
        changed =
            std::erase_if(items, [&](NodeId item) { return item_degree[item] < k; }) > 0 || changed;
      }
      const KeptNodes kept = find_k_core(all, k);
      for (NodeId user = 0; user < all.num_users(); ++user) {
        ASSERT_EQ(kept.users[user] != 0, users.contains(user));
      }
      for (NodeId item = 0; item < all.num_items(); ++item) {
        ASSERT_EQ(kept.items[item] != 0, items.contains(item));
      }
    }
  }
}

}  // namespace
}  // namespace tern
