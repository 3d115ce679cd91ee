#include "host/train/selection.hpp"

#include "host/train/metric_sums.hpp"

namespace tern {

Selection::Selection(Backend& backend, const Dataset& data, const Graph& train,
                     const Config& config)
    : backend_(backend),
      held_out_(config.select_on == SelectionSplit::kTest ? &data.test : &data.valid),
      train_(train),
      options_(config.evaluation),
      metric_(config.metric) {
  if (!possible()) return;
  check_ks(options_, data.train.num_items());
  if (config.select_on == SelectionSplit::kTest && data.valid.size() > 0) {
    valid_ = backend.make_graph(data.valid);
  }
}

Metrics Selection::evaluate(const Model& model, const std::function<bool()>& should_stop) const {
  std::vector<const Graph*> observed{&train_};
  if (!valid_.empty()) observed.push_back(&valid_);
  return tern::evaluate(backend_, model.embeddings(Side::kUser), model.embeddings(Side::kItem),
                        observed, *held_out_, options_, should_stop);
}

bool Selection::improves(const Metrics& metrics) {
  const double value = metric(metrics, metric_);
  if (best_.has_value() && value <= *best_) {
    ++since_best_;
    return false;
  }
  best_ = value;
  since_best_ = 0;
  return true;
}

}  // namespace tern
