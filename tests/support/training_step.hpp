#pragma once

#include "tern/backend.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {

/// A minimal training step, for tests of recorded steps: matrix factorisation with BPR, L2, and Adam
/// that steps the batch's rows and lets the others catch up.
class TrainingStep {
 public:
  TrainingStep(Backend& backend, const Interactions& interactions, std::int64_t width,
               std::int64_t batch_size)
      : backend_(backend),
        graph_(backend.make_graph(interactions)),
        triplets_(backend.make_triplets(graph_, {.seed = Seed{21}}, batch_size)),
        losses_(backend.allocate(2, triplets_.num_batches())),
        step_(backend.make_counter()),
        users_(backend, interactions.num_users(), width, 1),
        items_(backend, interactions.num_items(), width, 2) {}

  void sample(std::uint32_t epoch) { backend_.sample(triplets_, epoch); }
  std::int64_t num_batches() const { return triplets_.num_batches(); }

  void run() {
    users_.catch_up(backend_, step_, &triplets_.rows(Side::kUser));
    items_.catch_up(backend_, step_, &triplets_.rows(Side::kItem));
    backend_.increment(step_);
    backend_.bpr(triplets_, users_.values, items_.values, users_.gradient, items_.gradient,
                 losses_);
    backend_.l2_penalty(triplets_, 0.01, users_.values, items_.values, users_.gradient,
                        items_.gradient, losses_);
    backend_.adam(kOptions, step_, users_.gradient, users_.values, users_.state,
                  &triplets_.rows(Side::kUser));
    backend_.adam(kOptions, step_, items_.gradient, items_.values, items_.state,
                  &triplets_.rows(Side::kItem));
    backend_.next_batch(triplets_);
  }

  /// Every row after all steps so far.
  Values users() { return users_.settled(backend_, step_); }
  Values items() { return items_.settled(backend_, step_); }
  Values losses() const { return values_of(backend_, losses_); }
  std::int64_t steps() const { return backend_.get(step_); }

 private:
  static constexpr AdamOptions kOptions{.learning_rate = 0.05};

  struct Table {
    Table(Backend& backend, std::int64_t rows, std::int64_t width, std::uint64_t seed)
        : values(make_matrix(backend, rows, width, random_values(rows * width, seed, 0.5))),
          gradient(backend.allocate(rows, width)),
          state{backend.allocate(rows, width), backend.allocate(rows, width),
                backend.make_row_steps(rows)} {}

    void catch_up(Backend& backend, const Counter& step, const RowSet* rows) {
      backend.adam_catch_up(kOptions, step, values, state, rows);
    }
    Values settled(Backend& backend, const Counter& step) {
      catch_up(backend, step, nullptr);
      return values_of(backend, values);
    }

    Matrix values;
    Matrix gradient;
    AdamState state;
  };

  Backend& backend_;
  Graph graph_;
  Triplets triplets_;
  Matrix losses_;
  Counter step_;
  Table users_;
  Table items_;
};

}  // namespace tern::test
