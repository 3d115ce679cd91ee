#pragma once

#include <gtest/gtest.h>

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

/// Pairs in batches over a graph of 60 users and 50 items, where user 0 and item 0 occur in every third
/// pair. Items from 40 on are negatives only, in some of the batches.
struct PairBattery {
  PairBattery(std::int64_t pairs, std::int64_t batch_size, std::int64_t width);
  /// As many pairs as an epoch of the graph has.
  std::vector<Triplet> epoch(std::int64_t size) const;

  Interactions graph;
  std::vector<Triplet> pairs;
  std::int64_t batch_size;
  std::int64_t width;
};

/// Triplets of the battery's pairs, with enough negatives for an epoch to hold all.
Triplets battery_triplets(Backend& backend, const Graph& graph, const PairBattery& battery);
/// Gradients of every batch of an epoch, one after the other, then the losses.
std::vector<Values> pair_battery_results(Backend& backend, const PairBattery& battery,
                                         const PairLoss& loss);
/// Whether each element differs by at most `bound` times the largest one of its result; NaN equals NaN.
testing::AssertionResult same_results(const std::vector<Values>& actual,
                                      const std::vector<Values>& expected, double bound);

}  // namespace tern::test
