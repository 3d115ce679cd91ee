#include "tern/generate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "host/support/parallel.hpp"
#include "tern/alias_table.hpp"
#include "tern/error.hpp"
#include "tern/random.hpp"

namespace tern {
namespace {

// Epochs of the random streams for kGenerate, one for each purpose. The index is the node's id.
constexpr std::uint32_t kUserRanks = 0;
constexpr std::uint32_t kItemRanks = 1;
constexpr std::uint32_t kDraws = 2;

void expect(bool fits, std::string_view option, double value, std::string_view expected) {
  if (!fits) throw ConfigError(fmt::format("{}: found {}, expected {}", option, value, expected));
}

void check_options(const GenerateOptions& options) {
  const auto users = static_cast<std::int64_t>(options.users);
  const auto items = static_cast<std::int64_t>(options.items);
  expect(users >= 1, "users", options.users, "at least 1");
  expect(items >= 2, "items", options.items, "at least 2");
  const std::int64_t most = users * items / 2;  // below 2⁶²
  expect(options.interactions >= users && options.interactions <= most, "interactions",
         static_cast<double>(options.interactions),
         fmt::format("between {} (one a user) and {} (half of all pairs)", users, most));
  expect(options.tastes >= 1 && options.tastes <= std::min(users, items), "tastes", options.tastes,
         "at least 1, and no more than users or items");
  const auto is_exponent = [](double gamma) { return gamma > 1 && std::isfinite(gamma); };
  expect(is_exponent(options.user_exponent), "user_exponent", options.user_exponent, "above 1");
  expect(is_exponent(options.item_exponent), "item_exponent", options.item_exponent, "above 1");
  expect(options.noise >= 0 && options.noise <= 1, "noise", options.noise, "[0, 1]");
}

/// A random ranking of n nodes: rank[node], a permutation of [0, n).
std::vector<NodeId> random_ranks(NodeId n, Seed seed, std::uint32_t what) {
  std::vector<NodeId> ranks(static_cast<std::size_t>(n));
  std::iota(ranks.begin(), ranks.end(), 0);
  RandomStream stream(seed, Purpose::kGenerate, what, 0);
  for (NodeId left = n; left > 1; --left) {
    std::swap(ranks[left - 1], ranks[stream.below(static_cast<std::uint32_t>(left))]);
  }
  return ranks;
}

/// The weight of a rank relative to the first rank's, such that P(weight = w) ∝ w^-γ: Zipf's law with
/// exponent 1 / (γ - 1). Bounded below, so that no weight vanishes.
double rank_weight(NodeId rank, double gamma) {
  constexpr double kMin = 1e-12;
  return std::max(std::pow(static_cast<double>(rank) + 1.0, -1.0 / (gamma - 1.0)), kMin);
}

/// Degrees by rank, in [1, most]: scale · weight, with the greatest scale whose degrees sum to at most
/// total. The remainder goes to the first ranks below the bound, one each in turn.
std::vector<std::int64_t> degrees_by_rank(NodeId n, std::int64_t most, std::int64_t total,
                                          double gamma) {
  std::vector<double> weights(static_cast<std::size_t>(n));
  for (NodeId rank = 0; rank < n; ++rank) weights[rank] = rank_weight(rank, gamma);
  const auto degree = [&](double scale, NodeId rank) {
    const double wanted = std::min(scale * weights[rank], static_cast<double>(most));
    return std::max<std::int64_t>(static_cast<std::int64_t>(wanted), 1);
  };
  const auto sum = [&](double scale) {
    std::int64_t degrees = 0;
    for (NodeId rank = 0; rank < n; ++rank) degrees += degree(scale, rank);
    return degrees;
  };
  double low = 0;
  double high = static_cast<double>(most) / weights.back();  // at this scale every degree is `most`
  constexpr int kHalvings = 64;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = low + (high - low) / 2;
    (sum(middle) <= total ? low : high) = middle;
  }
  std::vector<std::int64_t> degrees(static_cast<std::size_t>(n));
  for (NodeId rank = 0; rank < n; ++rank) degrees[rank] = degree(low, rank);
  std::int64_t missing = total - std::accumulate(degrees.begin(), degrees.end(), std::int64_t{0});
  while (missing > 0) {
    for (NodeId rank = 0; rank < n && missing > 0; ++rank) {
      if (degrees[rank] == most) continue;
      ++degrees[rank];
      --missing;
    }
  }
  return degrees;
}

/// Items, and the table to draw them by weight.
struct ItemLaw {
  std::vector<NodeId> items;
  AliasTable table;

  NodeId draw(RandomStream& stream) const {
    const std::uint32_t cell = stream.below(static_cast<std::uint32_t>(items.size()));
    const bool own = stream.next() < table.threshold[cell];
    return items[own ? cell : static_cast<std::uint32_t>(table.alias[cell])];
  }
};

ItemLaw make_law(std::vector<NodeId> items, const std::vector<NodeId>& ranks, double gamma) {
  // Integer weights up to 2⁴⁰, so that draws hardly depend on a machine's rounding of the powers.
  std::vector<std::int64_t> weights;
  weights.reserve(items.size());
  for (const NodeId item : items) {
    weights.push_back(1 + static_cast<std::int64_t>(0x1p40 * rank_weight(ranks[item], gamma)));
  }
  AliasTable table = make_alias_table(weights, 1.0);
  return {std::move(items), std::move(table)};
}

/// Draws items for users, one at a time.
class RowDrawer {
 public:
  RowDrawer(const GenerateOptions& options, const std::vector<ItemLaw>& of_taste,
            const ItemLaw& of_all)
      : options_(options),
        of_taste_(of_taste),
        of_all_(of_all),
        taken_by_(static_cast<std::size_t>(options.items), -1) {}

  /// row.size() distinct items for the user, ascending.
  void draw(NodeId user, std::int32_t taste, std::span<NodeId> row) {
    RandomStream stream(options_.seed, Purpose::kGenerate, kDraws,
                        static_cast<std::uint64_t>(user));
    user_ = user;
    row_ = row;
    size_ = 0;
    std::size_t noisy = 0;
    for (std::size_t k = 0; k < row.size(); ++k) {
      // uniform() is in (0, 1]: noise 0 gives none, noise 1 all.
      if (stream.uniform() <= options_.noise) ++noisy;
    }
    fill(of_taste_[static_cast<std::size_t>(taste)], row.size() - noisy, stream);
    fill(of_all_, row.size(), stream);
    std::sort(row.begin(), row.end());
  }

 private:
  bool take(NodeId item) {
    if (taken_by_[item] == user_) return false;
    taken_by_[item] = user_;
    row_[size_++] = item;
    return true;
  }

  /// Draws items until the row holds `wanted` of them, or all items of the law are taken. A
  /// repeated item is drawn again; after too many repeats, items are taken in order from a random
  /// one on. This fallback needs a row with much of the law's weight, so that it is O(wanted) too.
  void fill(const ItemLaw& law, std::size_t wanted, RandomStream& stream) {
    constexpr std::size_t kTries = 16;
    std::size_t tries = kTries * (wanted - std::min(wanted, size_));
    while (size_ < wanted && tries-- > 0) take(law.draw(stream));
    if (size_ >= wanted) return;
    const auto count = static_cast<std::uint32_t>(law.items.size());
    std::uint32_t place = stream.below(count);
    for (std::uint32_t k = 0; k < count && size_ < wanted; ++k) {
      take(law.items[place]);
      place = place + 1 == count ? 0 : place + 1;
    }
  }

  const GenerateOptions& options_;
  const std::vector<ItemLaw>& of_taste_;
  const ItemLaw& of_all_;
  std::vector<NodeId> taken_by_;  // the last user who took each item
  NodeId user_ = -1;
  std::span<NodeId> row_;
  std::size_t size_ = 0;
};

/// Each taste gets the same number of nodes (up to one), spread evenly over the ranks.
std::vector<std::int32_t> tastes_by_rank(const std::vector<NodeId>& ranks, int tastes) {
  std::vector<std::int32_t> result(ranks.size());
  for (std::size_t node = 0; node < ranks.size(); ++node) {
    result[node] = static_cast<std::int32_t>(ranks[node] % tastes);
  }
  return result;
}

}  // namespace

GeneratedData generate(const GenerateOptions& options) {
  check_options(options);
  const std::vector<NodeId> user_ranks = random_ranks(options.users, options.seed, kUserRanks);
  const std::vector<NodeId> item_ranks = random_ranks(options.items, options.seed, kItemRanks);
  GeneratedData data;
  data.user_tastes = tastes_by_rank(user_ranks, options.tastes);
  data.item_tastes = tastes_by_rank(item_ranks, options.tastes);

  // No user has more than half of the items, so that everyone has negatives.
  const std::int64_t most = (static_cast<std::int64_t>(options.items) + 1) / 2;
  const std::vector<std::int64_t> degrees =
      degrees_by_rank(options.users, most, options.interactions, options.user_exponent);
  std::vector<EdgeOffset> offsets(static_cast<std::size_t>(options.users) + 1, 0);
  for (NodeId user = 0; user < options.users; ++user) {
    offsets[user + 1] = offsets[user] + degrees[user_ranks[user]];
  }

  std::vector<std::vector<NodeId>> by_taste(static_cast<std::size_t>(options.tastes));
  std::vector<NodeId> all(static_cast<std::size_t>(options.items));
  std::iota(all.begin(), all.end(), 0);
  for (const NodeId item : all) {
    by_taste[static_cast<std::size_t>(data.item_tastes[item])].push_back(item);
  }
  std::vector<ItemLaw> of_taste;
  of_taste.reserve(by_taste.size());
  for (std::vector<NodeId>& items : by_taste) {
    of_taste.push_back(make_law(std::move(items), item_ranks, options.item_exponent));
  }
  const ItemLaw of_all = make_law(std::move(all), item_ranks, options.item_exponent);

  std::vector<NodeId> items(static_cast<std::size_t>(offsets.back()));
  // Each block marks taken items. The bound keeps these marks small beside the interactions.
  const std::int64_t blocks = std::clamp<std::int64_t>(
      options.interactions / (8 * static_cast<std::int64_t>(options.items)), 1, 64);
  parallel_for(blocks, [&](std::int64_t block) {
    RowDrawer drawer(options, of_taste, of_all);
    const auto begin = static_cast<NodeId>(block * options.users / blocks);
    const auto end = static_cast<NodeId>((block + 1) * options.users / blocks);
    for (NodeId user = begin; user < end; ++user) {
      const auto degree = static_cast<std::size_t>(offsets[user + 1] - offsets[user]);
      drawer.draw(user, data.user_tastes[user], std::span(items).subspan(offsets[user], degree));
    }
  });
  data.interactions =
      Interactions(options.users, options.items, std::move(offsets), std::move(items));
  return data;
}

}  // namespace tern
