#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "host/train/item_scorer.hpp"
#include "tern/baselines.hpp"
#include "tern/config.hpp"
#include "tern/dataset.hpp"
#include "tern/evaluation.hpp"

namespace tern {

/// Fits config.model, which is_fitted(), to the training split: ease with ease.l2, graph_filter
/// (GF-CF) with graph_filter.rank, graph_filter.alpha and train.seed. data must outlive the scorer.
/// On the host, with the same bits for any number of threads. Throws as Ease and GfCf do; ConfigError
/// for a model that is trained.
std::unique_ptr<ItemScorer> fit_model(const Dataset& data, const Config& config,
                                      const BaselineProgress& progress = {});

/// The same scorer from its take_arrays(), with the same data. Throws DataError, naming the file, if
/// they are those of another model or of another number of items.
std::unique_ptr<ItemScorer> restore_model(const Dataset& data, const Config& config,
                                          TensorFile arrays, std::string_view file);

/// Metrics of its lists for the users with held-out items, see tern/evaluation.hpp.
Metrics evaluate_scorer(const ItemScorer& scorer, const Interactions& train,
                        std::span<const Interactions* const> observed, const Interactions& held_out,
                        const EvaluationOptions& options);

/// Those on the split that trained models select their best epoch on (train.select_on); none if it has no
/// interactions. With the test split, items of the validation split are left out too.
std::optional<Metrics> evaluate_selection_split(const ItemScorer& scorer, const Dataset& data,
                                                const Config& config);

/// Throws ConfigError if the model cannot be fitted to data of this size.
void expect_fittable(const Dataset& data, const Config& config);

/// The bytes of the arrays of a fitted model: 4 I² for ease, 4 I times the rank for graph_filter, at
/// most.
std::int64_t array_bytes(const Dataset& data, const ModelOptions& options);

/// The memory of a fit at its peak, and the keys that shrink its largest part: data.k_core for the
/// numbers of all pairs of items, graph_filter.rank for singular vectors, train.threads and
/// evaluation.ks for rankings.
struct FitMemory {
  std::int64_t bytes = 0;
  std::string_view keys;
};
/// The lists of the greatest evaluation.ks are included.
FitMemory fit_memory(const Dataset& data, const Config& config);

}  // namespace tern
