#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "host/support/lane_products.hpp"
#include "tern/interactions.hpp"
#include "tern/tensor_file.hpp"
#include "tern/view.hpp"

namespace tern {

/// Scores every item from the items of a user alone: a user is no parameter, so that anybody's items
/// can be scored.
class ItemScorer {
 public:
  /// One thread's workspace.
  class Scratch {
   public:
    virtual ~Scratch() = default;
  };
  using History = std::span<const NodeId>;  // ascending item ids

  virtual ~ItemScorer() = default;
  virtual NodeId num_items() const = 0;
  virtual std::unique_ptr<Scratch> make_scratch() const = 0;
  /// scores: (histories, I), overwritten. A row depends on its history alone, to the bit. At most
  /// kMaxHistories at a time.
  virtual void score(std::span<const History> histories, Scratch& scratch,
                     MatrixView<double> scores) const = 0;

  /// The arrays that were computed from the interactions, by their names: none if it computes none.
  /// They are moved out: score() is not called afterwards.
  virtual TensorFile take_arrays() { return {}; }

  /// The data that a call reads once, such as 256 numbers an item, are many times larger than a cache:
  /// 16 histories share each read.
  static constexpr std::int64_t kMaxHistories = kProductLanes;
};

/// By node: 1/sqrt(degree), 0 for degree 0. Rows of the interactions are nodes.
std::vector<double> inverse_roots(const Interactions& interactions);

/// Throws ShapeError if k < 1, or if the shapes of the interactions differ.
void check_rankings(const Interactions& train, std::span<const Interactions* const> observed,
                    std::int64_t k);

/// Moves a table of f32 with this many rows out of the arrays; columns: those expected, or -1 for any.
/// Throws DataError, naming the file, if there is none.
Tensor take_table(TensorFile& arrays, const char* name, std::int64_t rows, std::int64_t columns,
                  std::string_view file);

/// The lists to rank.
struct ListTask {
  const Interactions& histories;  // (users, I): the items that a user is scored by
  std::span<const NodeId> users;  // rows of histories, one a list
  std::span<const Interactions* const>
      observed;                        // (users, I): a user's items in these are left out
  std::span<const NodeId> candidates;  // ascending items; empty: all
  std::int64_t k = 0;
};
/// (lists, k), best first, ties by ascending item id; items are -1 after the end of a shorter list.
struct ScoredLists {
  std::vector<NodeId> items;
  std::vector<double> scores;
};
/// A list depends on its user's rows alone, to the bit. Throws ShapeError as check_rankings() does.
ScoredLists rank_items(const ItemScorer& scorer, const ListTask& task);

/// The score of each pair of a user, a row of histories, and an item: the one that rank_items() gives.
std::vector<double> score_pairs(const ItemScorer& scorer, const Interactions& histories,
                                std::span<const Interaction> pairs);

/// Bytes that rankings_by() takes: 128 I in each thread, and its result, 4 U k. A scorer's scratch is
/// not included.
std::int64_t ranking_bytes(std::int64_t users, std::int64_t items, std::int64_t k);

/// (U, k) items by the scores of each user's training items, see tern/baselines.hpp.
std::vector<NodeId> rankings_by(const ItemScorer& scorer, const Interactions& train,
                                std::span<const Interactions* const> observed, std::int64_t k);

}  // namespace tern
