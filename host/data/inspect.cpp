#include "tern/inspect.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "tern/error.hpp"

namespace tern {
namespace {

/// The degree at place ceil(tenths/10 · n), by a histogram's cumulative counts.
std::int64_t quantile(const std::vector<std::int64_t>& counts, std::int64_t n,
                      std::int64_t tenths) {
  const std::int64_t place = (tenths * n + 9) / 10;
  std::int64_t seen = 0;
  for (std::size_t degree = 0; degree < counts.size(); ++degree) {
    seen += counts[degree];
    if (seen >= place && seen > 0) return static_cast<std::int64_t>(degree);
  }
  return 0;
}

SideSummary summarize_side(const std::vector<std::int64_t>& degrees) {
  SideSummary side;
  side.nodes = static_cast<std::int64_t>(degrees.size());
  if (degrees.empty()) return side;
  const auto [min, max] = std::minmax_element(degrees.begin(), degrees.end());
  std::vector<std::int64_t> counts(static_cast<std::size_t>(*max) + 1, 0);
  std::int64_t total = 0;
  for (const std::int64_t degree : degrees) {
    ++counts[degree];
    total += degree;
  }
  side.empty = counts[0];
  side.degrees = {*min, quantile(counts, side.nodes, 5), quantile(counts, side.nodes, 9), *max,
                  static_cast<double>(total) / static_cast<double>(side.nodes)};
  return side;
}

/// The union of matrices with the same users and items.
Interactions unite(const std::array<const Interactions*, 3>& matrices) {
  std::vector<EdgeOffset> offsets(1, 0);
  std::vector<NodeId> items;
  std::vector<NodeId> row;
  for (NodeId user = 0; user < matrices[0]->num_users(); ++user) {
    row.clear();
    for (const Interactions* matrix : matrices) {
      row.insert(row.end(), matrix->row(user).begin(), matrix->row(user).end());
    }
    std::sort(row.begin(), row.end());
    row.erase(std::unique(row.begin(), row.end()), row.end());
    items.insert(items.end(), row.begin(), row.end());
    offsets.push_back(static_cast<EdgeOffset>(items.size()));
  }
  return {matrices[0]->num_users(), matrices[0]->num_items(), std::move(offsets), std::move(items)};
}

}  // namespace

InteractionsSummary summarize(const Interactions& interactions) {
  InteractionsSummary summary;
  summary.interactions = interactions.size();
  std::vector<std::int64_t> user_degrees(static_cast<std::size_t>(interactions.num_users()));
  std::vector<std::int64_t> item_degrees(static_cast<std::size_t>(interactions.num_items()), 0);
  for (NodeId user = 0; user < interactions.num_users(); ++user) {
    user_degrees[user] = interactions.offsets()[user + 1] - interactions.offsets()[user];
    const bool every = user_degrees[user] == interactions.num_items() && user_degrees[user] > 0;
    summary.users_with_every_item += every ? 1 : 0;
  }
  for (const NodeId item : interactions.items()) ++item_degrees[item];
  summary.users = summarize_side(user_degrees);
  summary.items = summarize_side(item_degrees);
  const double pairs =
      static_cast<double>(interactions.num_users()) * static_cast<double>(interactions.num_items());
  if (pairs > 0) summary.density = static_cast<double>(interactions.size()) / pairs;
  return summary;
}

HeldOutSummary summarize_held_out(const Interactions& train, const Interactions& held_out) {
  if (train.num_users() != held_out.num_users() || train.num_items() != held_out.num_items()) {
    throw ShapeError("held-out and training split differ in users or items");
  }
  std::vector<char> trained(static_cast<std::size_t>(train.num_items()), 0);
  for (const NodeId item : train.items()) trained[item] = 1;
  HeldOutSummary summary;
  for (NodeId user = 0; user < held_out.num_users(); ++user) {
    const std::span<const NodeId> known = train.row(user);
    const std::span<const NodeId> wanted = held_out.row(user);
    if (wanted.empty()) continue;
    ++summary.users;
    if (known.empty()) ++summary.users_without_training;
    for (const NodeId item : wanted) {
      if (trained[item] == 0) {
        ++summary.items_without_training;
        trained[item] = 1;  // counted once
      }
      if (std::binary_search(known.begin(), known.end(), item)) ++summary.also_in_training;
    }
  }
  return summary;
}

DatasetSummary inspect(const Dataset& data) {
  DatasetSummary summary;
  summary.all = summarize(unite({&data.train, &data.valid, &data.test}));
  summary.train = summarize(data.train);
  summary.valid = summarize(data.valid);
  summary.test = summarize(data.test);
  summary.held_out_valid = summarize_held_out(data.train, data.valid);
  summary.held_out_test = summarize_held_out(data.train, data.test);
  summary.duplicates = data.duplicates;
  if (data.user_features) summary.user_feature_width = data.user_features->width();
  if (data.item_features) summary.item_feature_width = data.item_features->width();
  return summary;
}

}  // namespace tern
