#include "host/run/complete_run.hpp"

#include <fmt/format.h>

#include <memory>

#include "tern/error.hpp"

namespace tern {

Dataset load_own_copy(const Run& run) {
  Dataset data = run.load_data();
  data.notes.push_back(fmt::format(
      "The data is the run's own copy of {}: users: {}, items: {}; interactions for training: {}, "
      "for validation: {}, for testing: {}.",
      run.config().data_path.empty() ? "interactions in memory" : run.config().data_path,
      data.users.size(), data.items.size(), data.train.size(), data.valid.size(),
      data.test.size()));
  return data;
}

void write_embeddings(Run& run, Backend& backend, Model& model, const JobLog& log) {
  try {
    run.write_embeddings(backend, model);
  } catch (const Error& error) {
    log.warn(fmt::format(
        "the final embeddings were not written, and are computed whenever the run is read: {}",
        error.what()));
    return;
  }
  try {
    run.write_projector();
  } catch (const Error& error) {
    log.warn(fmt::format("the embeddings for TensorBoard were not written: {}", error.what()));
  }
}

void complete_embeddings(Run& run, Backend& backend, const Dataset& data, const JobLog& log) {
  if (run.has_embeddings("best")) return;
  const Graph train = backend.make_graph(data.train);
  const Triplets no_triplets;
  const std::unique_ptr<Model> model = make_model(backend, train, no_triplets, run.config().model,
                                                  features_for(data, run.config().model).view());
  write_embeddings(run, backend, *model, log);
}

}  // namespace tern
