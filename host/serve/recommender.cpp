#include "tern/recommender.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "host/serve/cold_nodes.hpp"
#include "host/serve/final_tables.hpp"
#include "host/serve/neighbours.hpp"
#include "host/serve/pair_scores.hpp"
#include "host/serve/recommender_impl.hpp"
#include "host/support/message.hpp"
#include "host/train/fitted_model.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"

namespace tern {

std::vector<NodeId> all_ids(NodeId size) {
  std::vector<NodeId> ids(static_cast<std::size_t>(size));
  std::iota(ids.begin(), ids.end(), NodeId{0});
  return ids;
}

void check_n(std::int64_t n) {
  if (n < 1) throw ConfigError(fmt::format("n: found {}, expected at least 1", n));
}

const Matrix& Recommender::Impl::embeddings(Side side) {
  std::optional<Matrix>& matrix = uploaded_[static_cast<std::size_t>(side)];
  if (!matrix) matrix = upload_table(*backend_, table_of(embeddings_, side));
  return *matrix;
}

HostTable Recommender::Impl::host_table(Side side) {
  return host_table_of(table_of(embeddings_, side));
}

NodeId Recommender::Impl::find(Side side, std::string_view id) {
  const Vocabulary& known = names(side);
  if (const std::optional<NodeId> node = known.find(id)) return *node;
  std::string text = fmt::format("there is no {} {}", to_string(side), quote(id));
  const std::vector<std::string> nearest = known.nearest(id);
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    text += (i == 0 ? "; the most similar: " : ", ") + quote(nearest[i]);
  }
  if (nearest.empty() && known.size() > 0) {
    text += fmt::format("; the model knows for example {}", quote(known.name(0)));
  }
  throw DataError("recommender", 0, text);
}

std::vector<NodeId> Recommender::Impl::find_all(Side side, const std::vector<std::string>& ids) {
  std::vector<NodeId> nodes;
  nodes.reserve(ids.size());
  for (const std::string& id : ids) nodes.push_back(find(side, id));
  return nodes;
}

std::vector<NodeId> Recommender::Impl::candidates(const RecommendOptions& options) {
  std::vector<NodeId> ids =
      options.items.empty() ? all_ids(data_.items.size()) : find_all(Side::kItem, options.items);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<NodeId> without = find_all(Side::kItem, options.without);
  std::ranges::sort(without);
  const std::vector<bool> cold = find_cold(*this, Side::kItem);
  std::erase_if(ids, [&](NodeId item) {
    const bool is_cold = options.cold == ColdNodes::kLeaveOut && cold[std::size_t(item)];
    return is_cold || std::ranges::binary_search(without, item);
  });
  if (ids.empty()) {
    throw DataError("recommender", 0,
                    "no item is left to rank: all are excluded or have no training interactions");
  }
  return ids;
}

std::vector<ScoredId> Recommender::Impl::named(Side side, const RankedList& list) {
  std::vector<ScoredId> entries;
  entries.reserve(list.ids.size());
  for (std::size_t i = 0; i < list.ids.size(); ++i) {
    entries.push_back({names(side).name(list.ids[i]), list.scores[i]});
  }
  return entries;
}

std::vector<Recommendations> Recommender::Impl::recommend(const std::vector<NodeId>& users,
                                                          const RecommendOptions& options) {
  check_n(options.n);
  if (users.empty()) return {};
  UserTable table{.names = &data_.users, .cold = find_cold(*this, Side::kUser), .source = "model"};
  std::optional<HostTable> rows;
  if (is_fitted()) {
    table.histories = &data_.train;
  } else {
    rows = host_table(Side::kUser);
    table.embeddings = {&embeddings(Side::kUser), rows->values()};
  }
  std::vector<const Interactions*> observed;
  if (options.seen == SeenItems::kLeaveOut) observed = {&data_.train, &data_.valid};
  return rank(table, users, observed, options);
}

std::vector<Recommendations> Recommender::Impl::rank(
    const UserTable& table, const std::vector<NodeId>& users,
    const std::vector<const Interactions*>& observed, const RecommendOptions& options) {
  std::vector<NodeId> items = candidates(options);
  const auto length = std::min(options.n, static_cast<std::int64_t>(items.size()));
  UserLists lists(*this, table, users, std::move(items), length);
  for (const Interactions* rows : observed) lists.leave_out(*rows);
  std::vector<Recommendations> found;
  found.reserve(users.size());
  const std::vector<RankedList> ranked = lists.rank(users);
  for (std::size_t i = 0; i < users.size(); ++i) {
    const bool by_model = lists.source(users[i]) == table.source;
    found.push_back(
        {named(Side::kItem, ranked[i]), by_model ? ScoreSource::kModel : ScoreSource::kPopularity});
  }
  return found;
}

std::vector<ScoredId> Recommender::Impl::similar(Side side, std::string_view id, std::int64_t n) {
  check_n(n);
  if (is_fitted() && side == Side::kUser) {
    throw ConfigError(
        fmt::format("similar_users: the model is {}, which has no embeddings of users",
                    model_name(config_.model.kind)));
  }
  const NodeId node = find(side, id);
  const std::vector<bool> cold = find_cold(*this, side);
  if (cold[static_cast<std::size_t>(node)]) {
    throw DataError(
        "recommender", 0,
        fmt::format("{} {} has no training interactions, so that its embedding is random",
                    to_string(side), quote(id)));
  }
  std::vector<NodeId> others = all_ids(names(side).size());
  std::erase_if(others, [&](NodeId other) { return cold[static_cast<std::size_t>(other)]; });
  const auto length = std::min(n, static_cast<std::int64_t>(others.size()));
  return named(side, rank_neighbours(*this, side, {node}, std::move(others), length).front());
}

Recommender::Recommender(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Recommender::Recommender(Recommender&&) noexcept = default;
Recommender& Recommender::operator=(Recommender&&) noexcept = default;
Recommender::~Recommender() = default;

Recommender::Recommender(Trainer& trainer, TrainedParameters parameters,
                         const RecommenderOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->config_ = trainer.config();
  impl_->data_ = trainer.data();
  impl_->backend_ = make_backend(options.device, options.threads);
  impl_->embeddings_ = final_embeddings(trainer, parameters);
}

Recommender Recommender::load(const std::filesystem::path& path,
                              const RecommenderOptions& options) {
  const Run run = Run::open(path);
  auto impl = std::make_unique<Impl>();
  impl->config_ = run.config();
  impl->data_ = run.load_data();
  impl->backend_ = make_backend(options.device, options.threads);
  impl->run_ = path;
  impl->checkpoint_ = run.has_best() ? "best" : "last";
  if (tern::is_fitted(run.config().model.kind)) {
    impl->scorer_ =
        restore_model(impl->data_, impl->config_, run.read_fitted(), run.fitted_path().string());
  } else {
    impl->embeddings_ = best_embeddings(run, impl->data_, *impl->backend_);
  }
  return Recommender(std::move(impl));
}

Recommendations Recommender::recommend(ExternalId user, const RecommendOptions& options) {
  return std::move(impl_->recommend({impl_->find(Side::kUser, user.text())}, options).front());
}

std::vector<Recommendations> Recommender::recommend_each(const std::vector<std::string>& users,
                                                         const RecommendOptions& options) {
  return impl_->recommend(impl_->find_all(Side::kUser, users), options);
}

std::vector<ScoredId> Recommender::similar_items(ExternalId item, std::int64_t n) {
  return impl_->similar(Side::kItem, item.text(), n);
}

std::vector<ScoredId> Recommender::similar_users(ExternalId user, std::int64_t n) {
  return impl_->similar(Side::kUser, user.text(), n);
}

std::optional<float> Recommender::score(ExternalId user, ExternalId item) {
  const Interaction pair{impl_->find(Side::kUser, user.text()),
                         impl_->find(Side::kItem, item.text())};
  return pair_scores(*impl_, std::span(&pair, 1), ColdNodes::kLeaveOut).front().value;
}

std::vector<std::optional<float>> Recommender::score_each(
    const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::vector<Interaction> nodes;
  nodes.reserve(pairs.size());
  for (const auto& [user, item] : pairs) {
    nodes.push_back({impl_->find(Side::kUser, user), impl_->find(Side::kItem, item)});
  }
  std::vector<std::optional<float>> scores;
  scores.reserve(pairs.size());
  for (const PairScore& score : pair_scores(*impl_, nodes, ColdNodes::kLeaveOut)) {
    scores.push_back(score.value);
  }
  return scores;
}

const Tensor& Recommender::embeddings(Side side) const {
  if (impl_->is_fitted()) {
    throw ConfigError(fmt::format("embeddings: the model is {}, which has none",
                                  model_name(impl_->config_.model.kind)));
  }
  return table_of(impl_->embeddings_, side);
}

const Vocabulary& Recommender::ids(Side side) const {
  return impl_->names(side);
}

const Config& Recommender::config() const {
  return impl_->config_;
}

void Recommender::save(const std::filesystem::path& path, Run::Overwrite overwrite) const {
  Impl& impl = *impl_;
  if (impl.is_fitted()) {
    throw ConfigError(fmt::format("save: a fitted model, here {}, is already in its run: copy that",
                                  model_name(impl.config_.model.kind)));
  }
  Run run = Run::create(path, impl.config_, impl.data_, overwrite);
  run.write_embeddings(impl.embeddings_);
}

}  // namespace tern
