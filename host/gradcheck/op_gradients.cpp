#include <numeric>

#include "host/gradcheck/checks.hpp"
#include "host/gradcheck/cosines.hpp"
#include "host/gradcheck/dense_problem.hpp"
#include "host/gradcheck/differences.hpp"

namespace tern::gradcheck_detail {
namespace {

constexpr double kOpBound = 1e-7;

/// The inputs of one problem on the reference.
class OpGradients {
 public:
  OpGradients(Backend& backend, const GradcheckOptions& options, Seed seed, Report& report)
      : backend_(backend),
        options_(options),
        report_(report),
        seed_(seed),
        random_(seed.value + 1),
        graph_(backend.make_graph(random_graph(options, seed))),
        triplets_(backend.make_triplets(graph_, {.seed = seed}, options.batch_size)),
        contrasted_(make_contrasted(backend, graph_, options, seed)),
        losses_(backend.allocate(4, triplets_.num_batches())) {
    backend_.sample(triplets_, 1);
    backend_.sample(contrasted_, 1);
  }

  /// f(x, addend) = ⟨c, y⟩: the gradient c of y propagates back to the other side.
  void check_propagate(Side to) {
    const std::int64_t rows = graph_.num_nodes(to);
    const std::int64_t from_rows = graph_.num_nodes(opposite(to));
    const Values x = random_values(from_rows * options_.width, random_);
    const Values addend = random_values(rows * options_.width, random_);
    const Values c = random_values(rows * options_.width, random_);
    constexpr double kScale = 0.75;
    const auto f = [&](const Values& x_at, const Values& addend_at) {
      const Matrix of_x = upload(backend_, from_rows, x_at);
      const Matrix of_addend = upload(backend_, rows, addend_at);
      Matrix y = backend_.allocate(rows, options_.width);
      backend_.propagate(graph_, to, of_x, y, {.addend = &of_addend, .scale = kScale});
      const Values result = download(backend_, y);
      return std::inner_product(c.begin(), c.end(), result.begin(), 0.0);
    };
    Matrix gradient = backend_.allocate(from_rows, options_.width);
    backend_.propagate(graph_, opposite(to), upload(backend_, rows, c), gradient,
                       {.scale = kScale});
    Values of_addend = c;
    for (double& value : of_addend) value *= kScale;
    const std::string place = to == Side::kUser ? " (to users)" : " (to items)";
    add("propagate", "gradient of x" + place, download(backend_, gradient), x,
        [&](const Values& at) { return f(at, addend); });
    add("propagate", "gradient of addend" + place, of_addend, addend,
        [&](const Values& at) { return f(x, at); });
  }

  /// f(x) = ⟨c, x̂⟩ + ⟨d, weight · x⟩, the second by the op's sum.
  void check_normalize_rows() {
    const std::int64_t rows = graph_.num_users();
    const Values x = random_values(rows * options_.width, random_);
    const Values c = random_values(rows * options_.width, random_);
    const Values d = random_values(rows * options_.width, random_);
    constexpr double kWeight = 0.75;
    const auto f = [&](const Values& at) {
      Matrix y = backend_.allocate(rows, options_.width);
      Matrix sum = backend_.allocate(rows, options_.width);
      backend_.normalize_rows(upload(backend_, rows, at), y, {.sum = &sum, .weight = kWeight});
      const Values units = download(backend_, y);
      const Values weighted = download(backend_, sum);
      return std::inner_product(c.begin(), c.end(), units.begin(), 0.0) +
             std::inner_product(d.begin(), d.end(), weighted.begin(), 0.0);
    };
    Matrix gradient = upload(backend_, rows, c);
    const Matrix addend = upload(backend_, rows, d);
    backend_.normalize_rows_backward(upload(backend_, rows, x), gradient, gradient,
                                     {.matrix = &addend, .weight = kWeight});
    add("normalize_rows", "gradient of x", download(backend_, gradient), x, f);
  }

  enum class Term { kBpr, kSoftmax, kMixedSoftmax, kAlignment, kL2 };

  /// thresholds: the β of pair weights, (1, U); null: pairs count alike.
  void check_loss(Term term, const Matrix* thresholds = nullptr) {
    const Values users = random_values(graph_.num_users() * std::int64_t{options_.width}, random_);
    const Values items = random_values(graph_.num_items() * std::int64_t{options_.width}, random_);
    Values of_users;
    Values of_items;
    loss(term, thresholds, users, items, &of_users, &of_items);
    const char* op = term == Term::kBpr         ? "bpr"
                     : is_softmax(term)         ? "in_batch_softmax"
                     : term == Term::kAlignment ? "alignment_uniformity"
                                                : "l2_penalty";
    const bool weighted = thresholds != nullptr;
    const std::string of = term == Term::kMixedSoftmax ? weighted ? " (weighted mixed)" : " (mixed)"
                           : weighted                  ? " (weighted)"
                                                       : "";
    add(op, "gradient of users" + of, of_users, users,
        [&](const Values& at) { return loss(term, thresholds, at, items, nullptr, nullptr); });
    add(op, "gradient of items" + of, of_items, items,
        [&](const Values& at) { return loss(term, thresholds, users, at, nullptr, nullptr); });
  }

  /// Thresholds among the cosines, (1, U).
  Matrix random_thresholds() {
    return upload(backend_, 1, random_values(graph_.num_users(), random_));
  }

  void check_info_nce(Side side) {
    const std::int64_t size = graph_.num_nodes(side) * std::int64_t{options_.width};
    const Values views = random_values(size, random_);
    const Values others = random_values(size, random_);
    Values of_views;
    Values of_others;
    contrast(side, views, others, &of_views, &of_others);
    const std::string place = side == Side::kUser ? " (users)" : " (items)";
    add("info_nce", "gradient of views" + place, of_views, views,
        [&](const Values& at) { return contrast(side, at, others, nullptr, nullptr); });
    add("info_nce", "gradient of others" + place, of_others, others,
        [&](const Values& at) { return contrast(side, views, at, nullptr, nullptr); });
  }

  void check_expression(PairSimilarity similarity) {
    const Values users = random_values(graph_.num_users() * std::int64_t{options_.width}, random_);
    const Values items = random_values(graph_.num_items() * std::int64_t{options_.width}, random_);
    const PairProgram program = contrast_expression().compile();
    check_contrast(
        {.kind = SampledContrastKind::kExpression, .program = &program, .similarity = similarity},
        similarity == PairSimilarity::kDot ? " (expression)" : " (expression of cosines)", users,
        items);
  }

  void check_contrast(SampledContrastKind kind, const Matrix* thresholds = nullptr) {
    const bool softmax = kind == SampledContrastKind::kSoftmax;
    const Values users = random_values(graph_.num_users() * std::int64_t{options_.width}, random_);
    const Values items = random_values(graph_.num_items() * std::int64_t{options_.width}, random_);
    SampledContrastOptions options =
        contrast_options(kind, first_batch(backend_, contrasted_), users, items, options_.width);
    options.pair_weight = weighted_by(thresholds);
    check_contrast(options,
                   thresholds != nullptr ? " (weighted softmax)"
                   : softmax             ? " (softmax)"
                                         : " (cosine)",
                   users, items);
  }

 private:
  void check_contrast(const SampledContrastOptions& options, const std::string& of,
                      const Values& users, const Values& items) {
    Values of_users;
    Values of_items;
    contrast(options, users, items, &of_users, &of_items);
    add("sampled_contrast", "gradient of users" + of, of_users, users,
        [&](const Values& at) { return contrast(options, at, items); });
    add("sampled_contrast", "gradient of items" + of, of_items, items,
        [&](const Values& at) { return contrast(options, users, at); });
  }

  static bool is_softmax(Term term) {
    return term == Term::kSoftmax || term == Term::kMixedSoftmax;
  }

  double contrast(const SampledContrastOptions& options, const Values& users, const Values& items,
                  Values* of_users = nullptr, Values* of_items = nullptr) {
    const Matrix user_table = upload(backend_, graph_.num_users(), users);
    const Matrix item_table = upload(backend_, graph_.num_items(), items);
    Matrix grad_users = backend_.allocate(user_table.rows(), user_table.cols());
    Matrix grad_items = backend_.allocate(item_table.rows(), item_table.cols());
    backend_.sampled_contrast(contrasted_, options, user_table, item_table, grad_users, grad_items,
                              losses_);
    if (of_users != nullptr) *of_users = download(backend_, grad_users);
    if (of_items != nullptr) *of_items = download(backend_, grad_items);
    return download(backend_, losses_)[0];
  }

  double loss(Term term, const Matrix* thresholds, const Values& users, const Values& items,
              Values* of_users, Values* of_items) {
    const Matrix user_table = upload(backend_, graph_.num_users(), users);
    const Matrix item_table = upload(backend_, graph_.num_items(), items);
    Matrix grad_users = backend_.allocate(user_table.rows(), user_table.cols());
    Matrix grad_items = backend_.allocate(item_table.rows(), item_table.cols());
    if (term == Term::kBpr) {
      backend_.bpr(triplets_, user_table, item_table, grad_users, grad_items, losses_);
    } else if (is_softmax(term)) {
      const bool mixed = term == Term::kMixedSoftmax;
      InBatchSoftmaxOptions options = softmax_options(SoftmaxMask::kSameItem);
      options.columns = mixed ? SoftmaxColumns::kPairsAndNegatives : SoftmaxColumns::kPairs;
      options.pair_weight = weighted_by(thresholds);
      backend_.in_batch_softmax(mixed ? contrasted_ : triplets_, options, user_table, item_table,
                                grad_users, grad_items, losses_);
    } else if (term == Term::kAlignment) {
      backend_.alignment_uniformity(triplets_, alignment_options(), user_table, item_table,
                                    grad_users, grad_items, losses_);
    } else {
      backend_.l2_penalty(triplets_, options_.l2, user_table, item_table, grad_users, grad_items,
                          losses_);
    }
    if (of_users != nullptr) *of_users = download(backend_, grad_users);
    if (of_items != nullptr) *of_items = download(backend_, grad_items);
    return download(backend_, losses_)[term == Term::kL2 ? triplets_.num_batches() : 0];
  }

  double contrast(Side side, const Values& views, const Values& others, Values* of_views,
                  Values* of_others) {
    const std::int64_t rows = graph_.num_nodes(side);
    const Matrix view_table = upload(backend_, rows, views);
    const Matrix other_table = upload(backend_, rows, others);
    Matrix grad_views = backend_.allocate(rows, view_table.cols());
    Matrix grad_others = backend_.allocate(rows, view_table.cols());
    backend_.info_nce(triplets_, {.temperature = 0.5, .weight = 0.75}, side, view_table,
                      other_table, grad_views, grad_others, losses_);
    if (of_views != nullptr) *of_views = download(backend_, grad_views);
    if (of_others != nullptr) *of_others = download(backend_, grad_others);
    return download(backend_, losses_)[(2 + static_cast<std::size_t>(side)) *
                                       static_cast<std::size_t>(triplets_.num_batches())];
  }

  /// Compares the gradient of f at x with differences.
  void add(const char* op, std::string quantity, const Values& gradient, const Values& x,
           const std::function<double(const Values&)>& f) {
    if (!report_.wants(op)) return;
    const double scale = largest(gradient);
    const Values numeric = values_of(numeric_gradient(x, f, gradient, {.atol = kOpBound * scale}));
    report_.add({.subject = op,
                 .quantity = std::move(quantity),
                 .method = kDifferences,
                 .backend = backend_.name(),
                 .bound = kOpBound,
                 .seed = seed_,
                 .cols = options_.width},
                gradient, numeric, scale);
  }

  Backend& backend_;
  const GradcheckOptions& options_;
  Report& report_;
  Seed seed_;
  std::mt19937_64 random_;
  Graph graph_;
  Triplets triplets_;
  Triplets contrasted_;
  Matrix losses_;
};

void check_dense(Backend& backend, const GradcheckOptions& options, DenseProblem::Form form,
                 Seed seed, Report& report) {
  constexpr char kSubject[] = "linear_relu_batchnorm";
  if (!report.wants(kSubject)) return;
  const DenseProblem problem(options, form, seed);
  const DenseProblem::Answer answer = problem.answer(backend);
  for (std::size_t b = 0; b < problem.blocks().size(); ++b) {
    const DenseProblem::Block& block = problem.blocks()[b];
    const double scale = answer.largest_gradient();
    const Values numeric = values_of(numeric_gradient(
        block.values, [&](const Values& at) { return problem.value(backend, b, at); },
        answer.gradients[b], {.atol = kOpBound * scale}));
    report.add({.subject = kSubject,
                .quantity = "gradient of " + block.name,
                .method = kDifferences,
                .backend = backend.name(),
                .bound = kOpBound,
                .seed = seed,
                .cols = static_cast<std::int64_t>(block.values.size()) / block.rows},
               answer.gradients[b], numeric, scale);
  }
}

}  // namespace

void check_op_gradients(Backend& reference, const GradcheckOptions& options, Seed seed,
                        Report& report) {
  OpGradients checks(reference, options, seed, report);
  checks.check_propagate(Side::kUser);
  checks.check_propagate(Side::kItem);
  if (cosines_vary(options)) checks.check_normalize_rows();
  checks.check_loss(OpGradients::Term::kBpr);
  checks.check_loss(OpGradients::Term::kSoftmax);
  if (cosines_vary(options)) {
    checks.check_loss(OpGradients::Term::kAlignment);
    checks.check_info_nce(Side::kUser);
    checks.check_info_nce(Side::kItem);
  }
  if (options.l2 > 0.0) checks.check_loss(OpGradients::Term::kL2);
  if (cosines_vary(options)) {
    checks.check_contrast(SampledContrastKind::kSoftmax);
    checks.check_contrast(SampledContrastKind::kCosineContrastive);
    const Matrix thresholds = checks.random_thresholds();
    checks.check_loss(OpGradients::Term::kSoftmax, &thresholds);
    checks.check_loss(OpGradients::Term::kMixedSoftmax);
    checks.check_loss(OpGradients::Term::kMixedSoftmax, &thresholds);
    checks.check_contrast(SampledContrastKind::kSoftmax, &thresholds);
    checks.check_expression(PairSimilarity::kCosine);
  }
  checks.check_expression(PairSimilarity::kDot);
  for (const DenseProblem::Form form : DenseProblem::kForms) {
    check_dense(reference, options, form, seed, report);
  }
}

}  // namespace tern::gradcheck_detail
