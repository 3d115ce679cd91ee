#include "host/model/linear_map.hpp"

#include <cmath>

namespace tern {

LinearMap::LinearMap(Backend& backend, Trainables& trainables, Side side, const std::string& name,
                     const LayerInput& input, std::int64_t width)
    : backend_(backend), input_(input) {
  const auto weight = [&](std::string_view part, std::int64_t rows) {
    return &trainables.make(side, name + "_" + std::string(part) + "_weight", rows, width);
  };
  if (input.numbers != nullptr) numbers_ = weight("numbers", input.num_numbers());
  if (input.categories != nullptr) {
    categories_ = weight("categories", input.num_categories());
    product_ = backend.allocate(input.nodes, width);
    if (trainables.train()) product_gradient_ = backend.allocate(input.nodes, width);
  }
  if (input.learned != nullptr) learned_ = weight("learned", input.learned_width());
  bias_ = &trainables.make(side, name + "_bias", 1, width);
}

void LinearMap::initialize(TensorSeeds& seeds) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(input_.width()));
  for (Trainable* of : {numbers_, categories_, learned_, bias_}) {
    if (of != nullptr) initialize_uniform(backend_, of->value, bound, seeds.seed, seeds.next);
    ++seeds.next;
  }
}

void LinearMap::multiply_categories() {
  if (categories_ == nullptr) return;
  backend_.propagate(*input_.categories, Side::kUser, categories_->value, product_,
                     {.normalization = Normalization::kNone});
}

DenseSum LinearMap::sum() const {
  DenseSum sum;
  if (numbers_ != nullptr) sum.terms.push_back({input_.numbers, &numbers_->value});
  if (learned_ != nullptr) sum.terms.push_back({input_.learned, &learned_->value});
  if (categories_ != nullptr) sum.addend = &product_;
  sum.bias = &bias_->value;
  return sum;
}

DenseSumGradients LinearMap::gradients(Matrix* grad_learned, DenseTermGradients::Write write) {
  DenseSumGradients gradients;
  if (numbers_ != nullptr) gradients.terms.push_back({.weight = &numbers_->gradient});
  if (learned_ != nullptr) {
    gradients.terms.push_back(
        {.input = grad_learned, .weight = &learned_->gradient, .input_write = write});
  }
  if (categories_ != nullptr) gradients.addend = &product_gradient_;
  gradients.bias = &bias_->gradient;
  return gradients;
}

void LinearMap::differentiate_categories() {
  if (categories_ == nullptr) return;
  backend_.propagate(*input_.categories, Side::kItem, product_gradient_, categories_->gradient,
                     {.normalization = Normalization::kNone});
}

}  // namespace tern
