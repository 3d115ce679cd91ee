#include "host/backend/pair_weight.hpp"

#include "host/backend/expect.hpp"

namespace tern {
namespace {

void check(std::string_view op, const PairWeight& weight, NodeId num_users) {
  expect_positive("temperature of the pair weight", weight.temperature);
  if (weight.thresholds == nullptr) return;
  expect_present(op, "thresholds", *weight.thresholds);
  expect_shape(op, "thresholds", *weight.thresholds, 1, num_users);
}

}  // namespace

void check_pair_weight(const InBatchSoftmaxOptions& options, NodeId num_users) {
  check("in_batch_softmax", options.pair_weight, num_users);
}

void check_pair_weight(const SampledContrastOptions& options, NodeId num_users) {
  check("sampled_contrast", options.pair_weight, num_users);
  if (options.kind != SampledContrastKind::kSoftmax && options.pair_weight.thresholds != nullptr) {
    throw ConfigError(
        "sampled_contrast: found thresholds, expected none, as only softmax has them");
  }
}

}  // namespace tern
