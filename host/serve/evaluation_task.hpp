#pragma once

#include <cstdint>
#include <vector>

#include "host/serve/ranking_source.hpp"
#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/evaluation.hpp"
#include "tern/interactions.hpp"

namespace tern {

/// The items that are ranked: all, or only those without a training interaction.
enum class RankedItems : std::uint8_t { kAll, kCold };
/// Whether the items that a user has in the validation split are left out. They must not be if that split is measured.
enum class MaskValid : std::uint8_t { kYes, kNo };

/// Held-out interactions of a model, and the splits that are no candidates, over the ranked items.
struct EvaluationTask {
  Interactions train = {};
  Interactions valid = {};
  Interactions held_out = {};
  Matrix cold_rows = {};  // final embeddings; empty if all items are ranked
  MaskValid mask_valid = MaskValid::kYes;

  /// What is left out for each user. Valid as long as the task.
  std::vector<const Interactions*> observed() const;
};

/// held_out: (users, items) of the model.
EvaluationTask make_evaluation_task(RankingSource& source, const Interactions& held_out,
                                    MaskValid mask_valid, RankedItems items);

/// The metrics of evaluate() for the lists of a model, with embeddings or without.
Metrics evaluate_source(RankingSource& source, const EvaluationTask& task,
                        const EvaluationOptions& lists);

}  // namespace tern
