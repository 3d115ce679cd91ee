#include "host/serve/final_tables.hpp"

#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <variant>

#include "host/run/checkpoint.hpp"
#include "host/train/parameters.hpp"

namespace tern {

const Tensor& table_of(const FinalEmbeddings& embeddings, Side side) {
  return side == Side::kUser ? embeddings.users : embeddings.items;
}

std::vector<float> in_f32(const Tensor& table) {
  return std::visit(
      [](const auto& values) { return std::vector<float>(values.begin(), values.end()); },
      table.values);
}

HostTable host_table_of(const Tensor& table) {
  const auto* values = std::get_if<std::vector<float>>(&table.values);
  return values != nullptr ? HostTable(std::span<const float>(*values)) : HostTable(in_f32(table));
}

Matrix upload_table(Backend& backend, const Tensor& table) {
  Matrix matrix = backend.allocate(table.shape[0], table.shape[1]);
  std::visit(
      [&](const auto& values) {
        using Value = typename std::decay_t<decltype(values)>::value_type;
        if constexpr (std::is_floating_point_v<Value>) {
          backend.upload(std::span<const Value>(values), matrix);
        }
      },
      table.values);
  return matrix;
}

FinalEmbeddings embed_all(Backend& backend, Model& model, int epoch) {
  model.embed();
  return {.users = download_tensor(backend, model.embeddings(Side::kUser)),
          .items = download_tensor(backend, model.embeddings(Side::kItem)),
          .epoch = epoch};
}

FinalEmbeddings final_embeddings(Trainer& trainer, TrainedParameters which) {
  Backend& backend = trainer.backend();
  const int best = trainer.progress().selected_epoch;
  Model& model = trainer.model();
  if (which == TrainedParameters::kLast || best == 0 || trainer.best().tensors.empty()) {
    return embed_all(backend, model, trainer.progress().epoch);
  }
  const TensorFile current = trainer.last();
  try {
    load_parameters(backend, model, trainer.best());
    FinalEmbeddings found = embed_all(backend, model, best);
    load_parameters(backend, model, current);
    return found;
  } catch (...) {
    load_parameters(backend, model, current);
    throw;
  }
}

FinalEmbeddings best_embeddings(const Run& run, const Dataset& data, Backend& backend) {
  if (std::optional<FinalEmbeddings> stored = run.read_embeddings("best")) return *stored;
  const TensorFile parameters = run.read_checkpoint("best");
  const ModelOptions& options = run.config().model;
  const Graph graph = backend.make_graph(data.train);
  const Triplets no_triplets;
  const std::unique_ptr<Model> model =
      make_model(backend, graph, no_triplets, options, features_for(data, options).view());
  load_parameters(backend, *model, parameters);
  return embed_all(backend, *model, read_epoch(parameters.metadata, run.path().string()));
}

}  // namespace tern
