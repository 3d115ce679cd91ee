#include "host/model/matrix_factorization.hpp"

namespace tern {

MatrixFactorization::MatrixFactorization(Backend& backend, const Graph& graph,
                                         const Triplets& triplets, const ModelOptions& options)
    : backend_(backend), options_(options), tables_(backend, graph, options.width) {
  if (!triplets.empty()) gradients_ = SidePair(backend, graph, options.width);
  parameters_ = table_parameters(tables_, gradients_);
  if (!triplets.empty()) {
    parameters_[0].rows = &triplets.rows(Side::kUser);
    parameters_[1].rows = &triplets.rows(Side::kItem);
  }
}

void MatrixFactorization::initialize(Seed seed) {
  initialize_tables(backend_, tables_, options_, seed);
}

}  // namespace tern
