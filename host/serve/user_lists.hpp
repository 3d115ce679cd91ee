#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "host/serve/cold_nodes.hpp"
#include "host/serve/ranker.hpp"
#include "host/serve/ranking_source.hpp"

namespace tern {

/// Users to rank items for. Their names, embeddings and histories must outlive it.
struct UserTable {
  const Vocabulary* names = nullptr;
  QueryTable embeddings{};                  // unless the run's model is fitted without training:
  const Interactions* histories = nullptr;  // the items that it scores a user by
  std::vector<bool> cold;                   // by user: whether nothing is known of it
  std::string_view source;                  // of the lists of all others
};

/// Ranks items for users. Those of whom nothing is known get the popular ones.
class UserLists {
 public:
  /// users: those that will be asked for. candidates and length: as for Ranker.
  UserLists(RankingSource& source, const UserTable& table, std::span<const NodeId> users,
            std::vector<NodeId> candidates, std::int64_t length);

  /// Leaves out each user's items in these, which must outlive the object. (users, items).
  void leave_out(const Interactions& observed);
  std::vector<RankedList> rank(std::span<const NodeId> users) const;

  std::int64_t num_cold() const { return num_cold_; }
  /// The source of a user's list.
  std::string_view source(NodeId user) const {
    return is_cold(user) ? "popularity" : table_.source;
  }

 private:
  bool is_cold(NodeId user) const { return table_.cold[static_cast<std::size_t>(user)]; }

  const UserTable& table_;
  std::int64_t length_;
  std::int64_t num_cold_ = 0;
  std::optional<Popularity> popularity_;  // if there are cold users
  std::unique_ptr<Ranker> ranker_;
  std::vector<const Interactions*> observed_;
};

}  // namespace tern
