#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tern/backend.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {

/// A batch of pairs over a graph, and the embeddings of both sides.
struct PairProblem {
  Interactions graph;
  std::vector<Triplet> pairs;
  std::int64_t width;
  Values users, items;
};

/// A graph of `size` interactions, which are all the pairs of one batch, in another order. Nodes
/// occur several times. Each pair has a negative too.
PairProblem pair_problem_of(std::int64_t size, std::int64_t width, double scale = 1.0);
/// Makes all rows of a side equal.
void equalize_rows(Values& rows, std::int64_t width);
/// max(‖e‖, 1e-12) of a row.
double divisor_of(const Values& rows, NodeId node, std::int64_t width);

/// The problem on a backend, its batch current.
struct PairsOnBackend {
  PairsOnBackend(Backend& backend, const PairProblem& problem);

  Graph graph;
  Triplets triplets;
  Matrix users, items;
};

/// The outputs of a loss over final embeddings, poisoned before the call.
struct PairOutputs {
  Values grad_users, grad_items, losses;
};

/// Calls the loss twice: the second call finds the workspace of the first.
using PairLoss = std::function<void(Triplets& triplets, const Matrix& users, const Matrix& items,
                                    Matrix& grad_users, Matrix& grad_items, Matrix& losses)>;
PairOutputs run_pair_loss(Backend& backend, const PairProblem& problem, const PairLoss& loss);

}  // namespace tern::test
