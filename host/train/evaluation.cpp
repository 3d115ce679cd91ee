#include "tern/evaluation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>
#include <vector>

#include "host/train/cosine.hpp"
#include "host/train/metric_sums.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern {
namespace {

/// Users that are ranked at a time: enough to keep a backend busy, few enough that their lists stay
/// small beside the embeddings.
constexpr std::size_t kUsersPerBlock = 4096;

std::vector<NodeId> users_with_items(const Interactions& held_out) {
  std::vector<NodeId> users;
  for (NodeId user = 0; user < held_out.num_users(); ++user) {
    if (!held_out.row(user).empty()) users.push_back(user);
  }
  return users;
}

/// A block of users and their lists.
struct Ranked {
  std::span<const NodeId> users;
  TopItems top;
};

/// Calls visit(block) for consecutive blocks of the users.
template <typename Visit>
void for_each_block(std::span<const NodeId> users, Visit visit) {
  for (std::size_t begin = 0; begin < users.size(); begin += kUsersPerBlock) {
    visit(users.subspan(begin, std::min(kUsersPerBlock, users.size() - begin)));
  }
}

}  // namespace

double metric(const Metrics& metrics, std::string_view name) {
  for (const auto& [known, value] : metrics) {
    if (known == name) return value;
  }
  throw ConfigError(fmt::format("metric \"{}\" is not among those evaluated", name));
}

Metrics evaluate(Backend& backend, const Matrix& users, const Matrix& items,
                 std::span<const Graph* const> observed, const Interactions& held_out,
                 const EvaluationOptions& options, const std::function<bool()>& should_stop) {
  if (held_out.num_users() != users.rows() || held_out.num_items() != items.rows()) {
    throw ShapeError(
        fmt::format("the held-out split has {} users and {} items, the embeddings have {} and {}",
                    held_out.num_users(), held_out.num_items(), users.rows(), items.rows()));
  }
  MetricSums sums(options, held_out.num_items());
  const bool cosine = options.score == ScoreKind::kCosine;
  const Matrix unit_items = cosine ? normalized_copy(backend, items) : Matrix();
  const Matrix& ranked = cosine ? unit_items : items;
  const std::vector<NodeId> evaluated = users_with_items(held_out);
  Ranked last, next;
  // While a device ranks the next block, a thread of its own measures the last one; a CPU has no thread
  // to spare, and measures it afterwards. The sums are added block after block, so they have the same bits.
  // Destroyed before all that the thread uses.
  const bool has_device = memory_target(backend).kind == MemoryTarget::Kind::kCuda;
  const std::launch how = has_device ? std::launch::async : std::launch::deferred;
  std::future<void> measured;
  for_each_block(evaluated, [&](std::span<const NodeId> block) {
    if (should_stop && should_stop()) throw Interrupted("the evaluation was stopped");
    if (!last.users.empty()) {
      measured = std::async(how, [&] { sums.add(last.users, last.top.items, held_out); });
    }
    next.users = block;
    backend.score_topk(users, ranked, block, observed, sums.max_k(), next.top);
    if (measured.valid()) measured.get();
    std::swap(last, next);
  });
  if (!last.users.empty()) sums.add(last.users, last.top.items, held_out);
  return sums.means();
}

Metrics evaluate_rankings(std::span<const NodeId> rankings, std::int64_t k,
                          const Interactions& held_out, const EvaluationOptions& options) {
  if (k < 1 || static_cast<std::int64_t>(rankings.size()) != k * held_out.num_users()) {
    throw ShapeError(fmt::format("rankings: found {} items, expected {} for each of {} users",
                                 rankings.size(), k, held_out.num_users()));
  }
  MetricSums sums(options, held_out.num_items());
  if (sums.max_k() > k) {
    throw ConfigError(
        fmt::format("evaluation.ks: found {}, expected at most {}, the length of the rankings",
                    sums.max_k(), k));
  }
  const auto width = static_cast<std::size_t>(sums.max_k());
  std::vector<NodeId> lists;
  const std::vector<NodeId> evaluated = users_with_items(held_out);
  for_each_block(evaluated, [&](std::span<const NodeId> block) {
    lists.clear();
    for (const NodeId user : block) {
      const auto row = rankings.subspan(static_cast<std::size_t>(user * k), width);
      lists.insert(lists.end(), row.begin(), row.end());
    }
    sums.add(block, lists, held_out);
  });
  return sums.means();
}

}  // namespace tern
