#pragma once

#include <vector>

#include "host/serve/ranking_source.hpp"
#include "tern/backend.hpp"
#include "tern/dataset.hpp"
#include "tern/model.hpp"
#include "tern/recommender.hpp"
#include "tern/run.hpp"
#include "tern/trainer.hpp"
#include "tern/types.hpp"

namespace tern {

/// The table of one side.
const Tensor& table_of(const FinalEmbeddings& embeddings, Side side);
/// The elements of a table in f32, row-major.
std::vector<float> in_f32(const Tensor& table);
/// The same: a view of the table, unless its elements have another type.
HostTable host_table_of(const Tensor& table);
/// A copy of a table on the backend.
Matrix upload_table(Backend& backend, const Tensor& table);

/// Computes the final embeddings of the model's parameters.
FinalEmbeddings embed_all(Backend& backend, Model& model, int epoch);
/// The final embeddings of these parameters of a trainer, which is left as it was. kBest without a best
/// epoch means kLast.
FinalEmbeddings final_embeddings(Trainer& trainer, TrainedParameters parameters);

/// The final embeddings of a run's best epoch, or of its newest state without one: stored, or computed from the checkpoint. data:
/// the run's, with its features. Throws DataError if the run is damaged or has no checkpoint.
FinalEmbeddings best_embeddings(const Run& run, const Dataset& data, Backend& backend);

}  // namespace tern
