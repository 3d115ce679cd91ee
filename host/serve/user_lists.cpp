#include "host/serve/user_lists.hpp"

#include <algorithm>
#include <utility>

namespace tern {
namespace {

std::unique_ptr<Ranker> make_ranker(RankingSource& source, const UserTable& table,
                                    std::vector<NodeId> candidates, std::int64_t length) {
  if (table.histories != nullptr) {
    return std::make_unique<HistoryRanker>(source.scorer(), *table.histories, std::move(candidates),
                                           length);
  }
  return std::make_unique<EmbeddingRanker>(source, Side::kItem, table.embeddings,
                                           std::move(candidates), length);
}

}  // namespace

UserLists::UserLists(RankingSource& source, const UserTable& table, std::span<const NodeId> users,
                     std::vector<NodeId> candidates, std::int64_t length)
    : table_(table),
      length_(length),
      num_cold_(
          std::count_if(users.begin(), users.end(), [&](NodeId user) { return is_cold(user); })),
      popularity_(num_cold_ > 0
                      ? std::optional<Popularity>(std::in_place, source.data().train, candidates)
                      : std::nullopt),
      ranker_(make_ranker(source, table, std::move(candidates), length)) {}

void UserLists::leave_out(const Interactions& observed) {
  observed_.push_back(&observed);
  ranker_->leave_out(observed);
}

std::vector<RankedList> UserLists::rank(std::span<const NodeId> users) const {
  std::vector<NodeId> known;
  for (const NodeId user : users) {
    if (!is_cold(user)) known.push_back(user);
  }
  std::vector<RankedList> of_model = ranker_->rank(known);
  std::vector<RankedList> lists;
  lists.reserve(users.size());
  std::size_t next = 0;
  for (const NodeId user : users) {
    lists.push_back(is_cold(user) ? popularity_->best(user, observed_, length_)
                                  : std::move(of_model[next++]));
  }
  return lists;
}

}  // namespace tern
