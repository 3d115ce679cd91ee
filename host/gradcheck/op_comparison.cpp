#include <algorithm>
#include <numeric>

#include "host/gradcheck/checks.hpp"
#include "host/gradcheck/cosines.hpp"
#include "host/gradcheck/dense_problem.hpp"
#include "host/gradcheck/rounded_backend.hpp"

namespace tern::gradcheck_detail {
namespace {

/// The results of all ops of one backend, on inputs that depend only on the seed.
class Answers {
 public:
  /// terms: the terms of a sum, for comparison_bound().
  struct Answer {
    std::string op;
    std::string quantity;
    Values values;
    std::int64_t terms;
    /// The error is relative to this or, if it is 0, to the largest of the values.
    double scale = 0.0;
  };

  Answers(Backend& backend, const GradcheckOptions& options, Seed seed)
      : backend_(backend),
        options_(options),
        random_(seed.value + 2),
        graph_(backend.make_graph(random_graph(options, seed))),
        triplets_(backend.make_triplets(graph_, {.seed = seed}, options.batch_size)),
        losses_(backend.allocate(4, triplets_.num_batches())),
        nodes_(std::max(options.users, options.items)) {
    sample();
    propagate(Side::kUser);
    propagate(Side::kItem);
    dense(seed);
    dropout(seed);
    perturb(seed);
    normalize_rows();
    losses();
    if (cosines_vary(options)) info_nce();
    if (cosines_vary(options)) contrasts(seed);
    optimizers();
    rankings();
    statistics();
  }

  const std::vector<Answer>& all() const { return all_; }

 private:
  Matrix random_matrix(std::int64_t rows) {
    return upload(backend_, rows, random_values(rows * options_.width, random_));
  }
  /// Thresholds among the cosines, (1, U).
  Matrix random_thresholds() {
    return upload(backend_, 1, random_values(graph_.num_users(), random_));
  }

  void add(const char* op, std::string quantity, Values values, std::int64_t terms) {
    all_.push_back({op, std::move(quantity), std::move(values), terms});
  }

  void sample() {
    backend_.sample(triplets_, 1);
    Values ids;
    for (const Triplet& triplet : backend_.get_triplets(triplets_)) {
      ids.insert(ids.end(),
                 {static_cast<double>(triplet.user), static_cast<double>(triplet.positive),
                  static_cast<double>(triplet.negative)});
    }
    add("sample", "triplets that differ", std::move(ids), 0);
  }

  void propagate(Side to) {
    const std::int64_t rows = graph_.num_nodes(to);
    const Matrix x = random_matrix(graph_.num_nodes(opposite(to)));
    const Matrix addend = random_matrix(rows);
    Matrix y = backend_.allocate(rows, options_.width);
    backend_.propagate(graph_, to, x, y, {.addend = &addend, .scale = 0.75});
    add("propagate", to == Side::kUser ? "y (to users)" : "y (to items)", download(backend_, y),
        nodes_ + 1);
    if (to == Side::kUser) {
      backend_.propagate(graph_, to, x, y, {.normalization = Normalization::kNone});
      add("propagate", "y (without normalization)", download(backend_, y), nodes_);
      const Matrix to_scales = upload(backend_, 1, random_values(rows, random_));
      const Matrix from_scales = upload(backend_, 1, random_values(x.rows(), random_));
      backend_.propagate(graph_, to, x, y,
                         {.normalization = Normalization::kGiven,
                          .to_scales = &to_scales,
                          .from_scales = &from_scales});
      add("propagate", "y (given scales)", download(backend_, y), nodes_);
      Matrix rounded = backend_.allocate(x.rows(), x.cols(), {.gather = GatherPrecision::kBf16});
      backend_.copy(x, rounded);
      backend_.propagate(graph_, to, rounded, y);
      add("propagate", "y (from bf16)", download(backend_, y), nodes_);
    }
  }

  void dense(Seed seed) {
    for (const DenseProblem::Form form : DenseProblem::kForms) {
      const DenseProblem problem(options_, form, seed);
      const DenseProblem::Answer answer = problem.answer(backend_);
      // Sums over inputs and over rows, and the cancellation in the normalisation.
      const std::int64_t terms = 4 * (2 * std::int64_t{options_.width} + problem.rows());
      add("linear_relu_batchnorm", "z", answer.z, terms);
      add("linear_relu_batchnorm", "z in evaluation", answer.evaluated, terms);
      add("linear_relu_batchnorm", "running statistics", answer.statistics, terms);
      for (std::size_t b = 0; b < answer.gradients.size(); ++b) {
        add("linear_relu_batchnorm", "gradient of " + problem.blocks()[b].name, answer.gradients[b],
            terms);
        all_.back().scale = answer.largest_gradient();
      }
    }
  }

  void dropout(Seed seed) {
    Counter step = backend_.make_counter(7);
    for (const auto unit : {DropoutOptions::Unit::kElement, DropoutOptions::Unit::kRow}) {
      Matrix values = random_matrix(graph_.num_users());
      backend_.dropout({.probability = 0.3, .unit = unit, .seed = seed, .place = 5}, step, values);
      add("dropout", unit == DropoutOptions::Unit::kElement ? "elements" : "rows",
          download(backend_, values), 1);
    }
  }

  void perturb(Seed seed) {
    Counter step = backend_.make_counter(7);
    Matrix values = random_matrix(graph_.num_users());
    Matrix sum = random_matrix(graph_.num_users());
    backend_.perturb({.magnitude = 0.3, .seed = seed, .place = 5}, step, values, nullptr,
                     {.sum = &sum, .weight = 0.5});
    add("perturb", "values", download(backend_, values), options_.width);
    add("perturb", "sum", download(backend_, sum), options_.width);
  }

  void normalize_rows() {
    const std::int64_t rows = graph_.num_users();
    const Matrix x = random_matrix(rows);
    const Matrix addend = random_matrix(rows);
    Matrix y = backend_.allocate(rows, options_.width);
    Matrix sum = random_matrix(rows);
    Matrix gradient = random_matrix(rows);
    backend_.normalize_rows(x, y, {.sum = &sum, .weight = 0.5});
    add("normalize_rows", "y", download(backend_, y), options_.width);
    add("normalize_rows", "sum", download(backend_, sum), options_.width);
    backend_.normalize_rows_backward(x, gradient, gradient, {.matrix = &addend, .weight = 0.5});
    // In rows of one element, whose unit rows are constant, only rounding errors are left.
    if (!cosines_vary(options_)) return;
    add("normalize_rows", "gradient of x", download(backend_, gradient),
        std::int64_t{2} * options_.width);
  }

  void losses() {
    const Matrix users = random_matrix(graph_.num_users());
    const Matrix items = random_matrix(graph_.num_items());
    Matrix grad_users = backend_.allocate(users.rows(), users.cols());
    Matrix grad_items = backend_.allocate(items.rows(), items.cols());
    // A score of D products, its sigmoid, and a sum over the occurrences of a row.
    const std::int64_t terms = 2 * (options_.width + triplets_.batch_size());
    const auto report = [&](const char* op, std::size_t loss, const char* of = "",
                            std::int64_t parts = 1) {
      add(op, std::string("loss") + of, {download(backend_, losses_)[loss]}, parts * terms);
      add(op, std::string("gradient of users") + of, download(backend_, grad_users), parts * terms);
      add(op, std::string("gradient of items") + of, download(backend_, grad_items), parts * terms);
    };
    backend_.bpr(triplets_, users, items, grad_users, grad_items, losses_);
    report("bpr", 0);
    backend_.in_batch_softmax(triplets_, softmax_options(SoftmaxMask::kObserved), users, items,
                              grad_users, grad_items, losses_);
    report("in_batch_softmax", 0);
    const Matrix thresholds = random_thresholds();
    InBatchSoftmaxOptions weighted = softmax_options(SoftmaxMask::kObserved);
    weighted.pair_weight = weighted_by(&thresholds);
    backend_.in_batch_softmax(triplets_, weighted, users, items, grad_users, grad_items, losses_);
    // A weight pulls back what its pair pulls, so that digits cancel: twice the bound, which grows with
    // the root of the terms.
    report("in_batch_softmax", 0, " (weighted)", 4);
    if (cosines_vary(options_)) {
      backend_.alignment_uniformity(triplets_, alignment_options(), users, items, grad_users,
                                    grad_items, losses_);
      report("alignment_uniformity", 0);
    }
    backend_.fill(grad_users, 0.0);
    backend_.fill(grad_items, 0.0);
    backend_.l2_penalty(triplets_, options_.l2, users, items, grad_users, grad_items, losses_);
    report("l2_penalty", static_cast<std::size_t>(triplets_.num_batches()));
  }

  void info_nce() {
    for (const Side side : {Side::kUser, Side::kItem}) {
      const std::int64_t rows = graph_.num_nodes(side);
      const Matrix views = random_matrix(rows);
      const Matrix others = random_matrix(rows);
      Matrix grad_views = random_matrix(rows);  // gradients are added
      Matrix grad_others = random_matrix(rows);
      backend_.info_nce(triplets_, {.temperature = 0.5, .weight = 0.75}, side, views, others,
                        grad_views, grad_others, losses_);
      const std::int64_t terms = 2 * (options_.width + triplets_.batch_size());
      const std::string place = side == Side::kUser ? " (users)" : " (items)";
      const auto row = 2 + static_cast<std::size_t>(side);
      add("info_nce", "loss" + place,
          {download(backend_, losses_)[row * static_cast<std::size_t>(triplets_.num_batches())]},
          terms);
      add("info_nce", "gradient of views" + place, download(backend_, grad_views), terms);
      add("info_nce", "gradient of others" + place, download(backend_, grad_others), terms);
    }
  }

  void contrasts(Seed seed) {
    Triplets triplets = make_contrasted(backend_, graph_, options_, seed);
    backend_.sample(triplets, 1);
    std::mt19937_64 random(seed.value + 6);
    const Values users = random_values(graph_.num_users() * std::int64_t{options_.width}, random);
    const Values items = random_values(graph_.num_items() * std::int64_t{options_.width}, random);
    const Matrix user_table = upload(backend_, graph_.num_users(), users);
    const Matrix item_table = upload(backend_, graph_.num_items(), items);
    Matrix grad_users = backend_.allocate(user_table.rows(), user_table.cols());
    Matrix grad_items = backend_.allocate(item_table.rows(), item_table.cols());
    const std::int64_t terms = 2 * (options_.width + triplets.batch_size());
    const Matrix thresholds = random_thresholds();
    const auto report = [&](const char* op, const std::string& of, std::int64_t all) {
      add(op, "loss" + of, {download(backend_, losses_)[0]}, all);
      add(op, "gradient of users" + of, download(backend_, grad_users), all);
      add(op, "gradient of items" + of, download(backend_, grad_items), all);
    };
    InBatchSoftmaxOptions mixed = softmax_options(SoftmaxMask::kObserved);
    mixed.columns = SoftmaxColumns::kPairsAndNegatives;
    backend_.in_batch_softmax(triplets, mixed, user_table, item_table, grad_users, grad_items,
                              losses_);
    report("in_batch_softmax", " (mixed)", terms);
    const auto compare = [&](SampledContrastKind kind, const Matrix* beta, const std::string& of) {
      SampledContrastOptions options =
          contrast_options(kind, first_batch(backend_, triplets), users, items, options_.width);
      options.pair_weight = weighted_by(beta);
      backend_.sampled_contrast(triplets, options, user_table, item_table, grad_users, grad_items,
                                losses_);
      report("sampled_contrast", of, beta == nullptr ? terms : 4 * terms);
    };
    compare(SampledContrastKind::kSoftmax, nullptr, " (softmax)");
    compare(SampledContrastKind::kSoftmax, &thresholds, " (weighted softmax)");
    compare(SampledContrastKind::kCosineContrastive, nullptr, " (cosine)");
    const PairProgram program = contrast_expression().compile();
    backend_.sampled_contrast(triplets,
                              {.kind = SampledContrastKind::kExpression,
                               .program = &program,
                               .similarity = PairSimilarity::kDot},
                              user_table, item_table, grad_users, grad_items, losses_);
    report("sampled_contrast", " (expression)", terms);
  }

  void optimizers() {
    constexpr std::int64_t kSteps = 3;
    constexpr std::int64_t kTerms = 16 * kSteps;  // roundings on the way to an element
    const std::int64_t rows = graph_.num_users();
    Matrix by_adam = random_matrix(rows);
    Matrix by_sgd = random_matrix(rows);
    AdamState adam{backend_.allocate(rows, options_.width),
                   backend_.allocate(rows, options_.width)};
    SgdState sgd{backend_.allocate(rows, options_.width)};
    Counter step = backend_.make_counter();
    for (std::int64_t i = 0; i < kSteps; ++i) {
      const Matrix gradient = random_matrix(rows);
      backend_.increment(step);
      backend_.adam({.learning_rate = 0.1, .weight_decay = 0.01}, step, gradient, by_adam, adam);
      backend_.sgd({.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01}, step, gradient,
                   by_sgd, sgd);
    }
    add("adam", "parameter after 3 steps", download(backend_, by_adam), kTerms);
    add("adam", "first moment", download(backend_, adam.first_moment), kTerms);
    add("adam", "second moment", download(backend_, adam.second_moment), kTerms);
    adam.row_steps = backend_.make_row_steps(rows);
    backend_.set(adam.row_steps, kSteps);
    backend_.set(step, 2 * kSteps);
    backend_.adam_catch_up({.learning_rate = 0.1, .weight_decay = 0.01}, step, by_adam, adam);
    add("adam", "parameter after 3 missed steps", download(backend_, by_adam), 2 * kTerms);
    add("adam", "second moment after them", download(backend_, adam.second_moment), 2 * kTerms);
    add("sgd", "parameter after 3 steps", download(backend_, by_sgd), kTerms);
    add("sgd", "velocity", download(backend_, sgd.velocity), kTerms);
  }

  void rankings() {
    const Values users = random_values(graph_.num_users() * std::int64_t{options_.width}, random_);
    const Values items = random_values(graph_.num_items() * std::int64_t{options_.width}, random_);
    std::vector<NodeId> queries(static_cast<std::size_t>(graph_.num_users()));
    std::iota(queries.begin(), queries.end(), 0);
    const Graph* const observed[] = {&graph_};
    TopItems top;
    backend_.score_topk(upload(backend_, graph_.num_users(), users),
                        upload(backend_, graph_.num_items(), items), queries, observed,
                        std::min<NodeId>(5, options_.items), top);
    // Items are compared by their exact scores: those with equal rounded scores may change places.
    Values scores;
    Values own_scores;
    Values lengths(queries.size());
    for (std::size_t place = 0; place < top.items.size(); ++place) {
      if (top.items[place] < 0) continue;
      const std::size_t query = place / static_cast<std::size_t>(top.k);
      ++lengths[query];
      scores.push_back(top.scores[place]);
      own_scores.push_back(std::inner_product(row(users, query), row(users, query + 1),
                                              row(items, top.items[place]), 0.0));
    }
    add("score_topk", "scores of the best", std::move(scores), options_.width);
    add("score_topk", "items of the best", std::move(own_scores), options_.width);
    add("score_topk", "lengths of the lists", std::move(lengths), 0);
  }

  Values::const_iterator row(const Values& table, std::int64_t index) const {
    return table.begin() + index * options_.width;
  }

  void statistics() {
    const Matrix table = random_matrix(graph_.num_users());
    const EmbeddingStatistics found = backend_.embedding_statistics(table);
    const std::int64_t terms = graph_.num_users() * std::int64_t{options_.width};
    add("embedding_statistics", "norms, deviations, rank",
        {found.mean_norm, found.max_norm, found.mean_cosine, found.min_column_deviation,
         found.max_column_deviation, found.effective_rank},
        terms);
    add("embedding_statistics", "Gram matrix", found.gram, terms);
  }

  Backend& backend_;
  const GradcheckOptions& options_;
  std::mt19937_64 random_;
  Graph graph_;
  Triplets triplets_;
  Matrix losses_;
  std::int64_t nodes_;
  std::vector<Answer> all_;
};

double triplets_that_differ(const Values& a, const Values& b) {
  if (a.size() != b.size()) return static_cast<double>(std::max(a.size(), b.size())) / 3.0;
  double count = 0.0;
  for (std::size_t i = 0; i < a.size(); i += 3) {
    count += std::equal(a.begin() + i, a.begin() + i + 3, b.begin() + i) ? 0.0 : 1.0;
  }
  return count;
}

}  // namespace

void compare_ops(Backend& backend, Backend& reference, const GradcheckOptions& options, Seed seed,
                 Report& report) {
  const Answers found(backend, options, seed);
  const Answers truth(reference, options, seed);
  const auto scale_of = [](const Answers::Answer& answer) {
    return answer.scale > 0.0 ? answer.scale : largest(answer.values);
  };
  // One after the other, so that the answers of one are in memory.
  Values conditions(truth.all().size());
  for (int run = 0; run < kRoundedRuns; ++run) {
    RoundedBackend rounded(kRoundedShare,
                           Seed{seed.value + (static_cast<std::uint64_t>(run) << 32)});
    const Answers moved(rounded, options, seed);
    for (std::size_t i = 0; i < conditions.size(); ++i) {
      const Answers::Answer& r = truth.all()[i];
      const double effect = largest_difference(moved.all()[i].values, r.values);
      conditions[i] = std::max(conditions[i], relative_to(scale_of(r), effect) / kRoundedShare);
    }
  }
  for (std::size_t i = 0; i < truth.all().size(); ++i) {
    const Answers::Answer& a = found.all()[i];
    const Answers::Answer& r = truth.all()[i];
    const double scale = scale_of(r);
    const double condition = conditions[i];
    GradcheckResult line{.subject = a.op,
                         .quantity = a.quantity,
                         .method = kAgainstReference,
                         .backend = backend.name(),
                         .bound = comparison_bound(a.terms, condition),
                         .seed = seed,
                         .condition = condition};
    if (a.op == "sample") {
      line.error = triplets_that_differ(a.values, r.values);
      line.bound = 0.0;
      report.add(std::move(line));
    } else {
      report.add(std::move(line), a.values, r.values, scale);
    }
  }
}

}  // namespace tern::gradcheck_detail
