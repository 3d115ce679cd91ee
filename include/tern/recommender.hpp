#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tern/baselines.hpp"
#include "tern/dataset.hpp"
#include "tern/evaluation.hpp"
#include "tern/external_id.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"
#include "tern/types.hpp"

namespace tern {

/// A node by its own id, with its score.
struct ScoredId {
  std::string id;
  float score = 0.0F;
  friend bool operator==(const ScoredId&, const ScoredId&) = default;
};

/// Where a score comes from: the model, or, for users without training interactions whose features the
/// model does not read, the item's number of training interactions.
enum class ScoreSource : std::uint8_t { kModel, kPopularity };

/// Items for a user, best first, ties in the order of the data's items.
struct Recommendations {
  std::vector<ScoredId> items;
  ScoreSource source = ScoreSource::kModel;
};

/// Whether items that a user has in the training or validation split are listed.
enum class SeenItems : std::uint8_t { kLeaveOut, kList };
/// Whether nodes without training interactions are listed, whose embeddings are as random as when training
/// began. (Nodes whose features the model reads need no interactions.)
enum class ColdNodes : std::uint8_t { kLeaveOut, kList };

struct RecommendOptions {
  /// The length of a list, at least 1. A list is shorter if there are fewer candidates.
  std::int64_t n = 10;
  SeenItems seen = SeenItems::kLeaveOut;
  ColdNodes cold = ColdNodes::kLeaveOut;
  /// Only these items are ranked; empty: all.
  std::vector<std::string> items = {};
  /// These items are not listed.
  std::vector<std::string> without = {};
};

/// A user that training has not seen, by the items that they have interacted with.
struct NewUser {
  std::string id;
  std::vector<std::string> items;
};

struct ModelEvaluationOptions {
  /// The split to measure on.
  SelectionSplit split = SelectionSplit::kTest;
  /// Lengths of the lists, each at least 1; empty: those of the model's configuration.
  std::vector<int> ks = {};
  /// Whether only items without a training interaction are ranked, which needs a model that reads features of items.
  bool cold = false;
  /// If given, rankings without training are measured too, and this is the penalty of EASE.
  std::optional<EaseOptions> baselines = {};
  /// Gets a line for each baseline that is left out or takes two seconds or more. May be empty.
  std::function<void(std::string_view)> note = {};
  BaselineProgress progress = {};
};

struct ModelEvaluation {
  Metrics metrics;
  /// popularity, linear_filter, graph_filter and ease; no metrics if one was left out.
  std::vector<std::pair<std::string, std::optional<Metrics>>> baselines = {};
};

struct RecommenderOptions {
  /// As for make_backend(): "cpu", "auto", "cuda", "cuda:N", "reference".
  std::string device = "cpu";
  /// Of a CPU; 0: all that the process may use.
  int threads = 0;
};

/// Which parameters of a training are used: those of the best epoch (Trainer::best()), or the current ones
/// (Trainer::last()).
enum class TrainedParameters : std::uint8_t { kBest, kLast };

/// Answers from a trained model, in the user's own ids. It owns all that it needs: neither trainer, data,
/// backend nor run directory must outlive it, but recommend_new() reads the checkpoint of its run. Scores and lists are those of `tern recommend`, `similar` and
/// `score`: sums in f64 in the order of the columns, so that they depend on neither the device nor the number
/// of users at a time.
///
///   tern::Recommender model = tern::Recommender::load("runs/first");
///   for (const auto& [item, score] : model.recommend("ann").items) ...
///
/// An unknown id is a DataError that names similar ones. An object is used by one thread at a time, as its
/// backend is; objects are independent.
class Recommender {
 public:
  /// The model of a trainer, with the final embeddings of these parameters. kBest without a best epoch (no
  /// selection split, or none evaluated yet) means kLast. The trainer is left as it was. Throws DeviceError,
  /// ConfigError.
  explicit Recommender(Trainer& trainer, TrainedParameters parameters = TrainedParameters::kBest,
                       const RecommenderOptions& options = {});
  /// The best epoch of a run, as `tern recommend` uses it, or its fitted model. Throws DataError if the run
  /// is damaged or has no checkpoint, DeviceError.
  static Recommender load(const std::filesystem::path& run, const RecommenderOptions& options = {});

  Recommender(Recommender&&) noexcept;
  Recommender& operator=(Recommender&&) noexcept;
  ~Recommender();

  /// The n best items for a user. Throws DataError on an unknown id, or if no candidate is left, ConfigError
  /// if n < 1.
  Recommendations recommend(ExternalId user, const RecommendOptions& options = {});
  /// The same for several users, which takes less time than one by one.
  std::vector<Recommendations> recommend_each(const std::vector<std::string>& users,
                                              const RecommendOptions& options = {});

  /// The same for users that training has not seen, as `tern recommend --history` lists them: lightgcn computes their
  /// embeddings by one propagation of their items, a fitted model scores by these items. A user with no item that has
  /// training interactions gets the popular ones. With options.seen = kLeaveOut, their own items are not listed.
  /// Unknown items are left out, with a note. The layers are computed anew in each call, from the checkpoint of the run.
  /// Throws ConfigError on another model and for an object that load() has not made; DataError on a user that the
  /// model knows or that is given twice, if no item is known, or if the run has lost its checkpoint.
  std::vector<Recommendations> recommend_new(
      const std::vector<NewUser>& users, const RecommendOptions& options = {},
      const std::function<void(std::string_view)>& note = {});

  /// The metrics of `tern evaluate`, to the bit. Throws ConfigError if nothing is held out, on k out of range, and on
  /// options that exclude each other.
  ModelEvaluation evaluate(const ModelEvaluationOptions& options = {});

  /// Writes the files of `tern export` to a directory: embeddings as "npy", "safetensors", "word2vec" or "faiss",
  /// and the ids. A fitted model has its arrays as one of the first two. Throws ConfigError on another format and on the directory of the run, Error
  /// if writing fails or if an id has a space that word2vec cannot hold.
  void export_to(const std::filesystem::path& folder, std::string_view format = "npy");

  /// The n items most similar to an item, or users to a user, by the cosine of their embeddings, itself left
  /// out, and so are cold ones. A fitted model has no embeddings: items are ranked for a user who has this item
  /// alone, and users are a ConfigError. Throws DataError on an unknown id, and on one without training
  /// interactions, unless features are read.
  std::vector<ScoredId> similar_items(ExternalId item, std::int64_t n = 10);
  std::vector<ScoredId> similar_users(ExternalId user, std::int64_t n = 10);

  /// The score of an item for a user, as recommend() lists it, in time linear in the number of interactions (to know whether
  /// the item has any): the dot product of their embeddings, or the
  /// cosine with evaluation.score = cosine; the sum over the user's items for a fitted model. For a user
  /// without training interactions, the item's number of them; for an item without, nothing.
  std::optional<float> score(ExternalId user, ExternalId item);
  /// The same for pairs of a user and an item, which takes less time than one by one.
  std::vector<std::optional<float>> score_each(
      const std::vector<std::pair<std::string, std::string>>& pairs);

  /// Final embeddings, row r of the node ids(side).name(r): (nodes, D), f32, or f64 from the reference backend.
  /// Throws ConfigError for a fitted model. Valid as long as the object.
  const Tensor& embeddings(Side side) const;
  const Vocabulary& ids(Side side) const;
  const Config& config() const;
  /// "best" or "last", as the program names the checkpoint that was loaded; empty if load() has not made the object.
  const std::string& checkpoint() const;
  /// The epoch of the embeddings; 0 for a fitted model.
  int epoch() const;

  /// Writes a run directory that load() and every command of the program read, with the data and the final
  /// embeddings. It has no checkpoint, since a Recommender holds neither parameters nor the state of an optimiser: it can be
  /// ranked with, but `tern train --resume` refuses it. To train further, keep Trainer::state() by Run::write_state().
  /// Throws Error if the directory holds a run and overwrite is kNo, or cannot be written, ConfigError for a
  /// fitted model, whose run is complete already.
  void save(const std::filesystem::path& run, Run::Overwrite overwrite = Run::Overwrite::kNo) const;

 private:
  struct Impl;
  explicit Recommender(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tern
