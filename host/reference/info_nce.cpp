#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"
#include "host/reference/unit_rows.hpp"

namespace tern::reference {

// loss = λ/n Σ_a [ -x_a·y_a / τ + log Σ_b exp(x_a·y_b / τ) ] over the n distinct nodes
void ReferenceBackend::info_nce(Triplets& triplets, const InfoNceOptions& options, Side side,
                                const Matrix& views, const Matrix& others, Matrix& grad_views,
                                Matrix& grad_others, Matrix& losses) {
  check_info_nce(triplets, options, side, views, others, grad_views, grad_others, losses);
  constexpr std::string_view kOp = "info_nce";
  std::set<NodeId> distinct;
  for (const Triplet& triplet : current_batch(triplets, kOp)) {
    distinct.insert(side == Side::kUser ? triplet.user : triplet.positive);
  }
  const std::vector<NodeId> nodes(distinct.begin(), distinct.end());
  const auto size = static_cast<std::int64_t>(nodes.size());
  const std::int64_t width = views.cols();
  UnitRows x(view(views, kOp, "views"), nodes);
  UnitRows y(view(others, kOp, "others"), nodes);

  const double pull = options.weight / (static_cast<double>(size) * options.temperature);
  double loss = 0;
  std::vector<double> logits(nodes.size());
  for (std::int64_t a = 0; a < size; ++a) {
    for (std::int64_t b = 0; b < size; ++b) {
      logits[b] = dot(x.value(a), y.value(b), width) / options.temperature;
    }
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const double logit : logits) sum += std::exp(logit - largest);
    loss += largest + std::log(sum) - logits[a];
    for (std::int64_t b = 0; b < size; ++b) {
      const double slope = pull * (std::exp(logits[b] - largest) / sum - (a == b ? 1 : 0));
      add(slope, y.value(b), width, x.grad(a));
      add(slope, x.value(a), width, y.grad(b));
    }
  }
  x.scatter(nodes, view(grad_views, kOp, "grad_views"));
  y.scatter(nodes, view(grad_others, kOp, "grad_others"));
  const auto& storage = storage_of<TripletsStorage>(triplets, kOp, "triplets");
  view(losses, kOp, "losses")(2 + static_cast<int>(side), storage.batch) =
      options.weight * loss / static_cast<double>(size);
}

}  // namespace tern::reference
