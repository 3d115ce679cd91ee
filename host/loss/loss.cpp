#include "tern/loss.hpp"

#include "host/loss/bpr_loss.hpp"
#include "host/loss/ccl_loss.hpp"
#include "host/loss/directau_loss.hpp"
#include "host/loss/softmax_at_k_loss.hpp"
#include "host/loss/softmax_loss.hpp"

namespace tern {

std::unique_ptr<Loss> make_loss(Backend& backend, const LossOptions& options, double l2,
                                NodeId num_users) {
  if (options.kind == LossKind::kCcl) return std::make_unique<CclLoss>(backend, options, l2);
  if (options.kind == LossKind::kSoftmaxAtK) {
    return std::make_unique<SoftmaxAtKLoss>(backend, options, l2, num_users);
  }
  if (options.kind == LossKind::kSoftmax) {
    return make_softmax_loss(backend, options.negatives, options.softmax, l2);
  }
  if (options.kind == LossKind::kDirectAu) {
    return std::make_unique<DirectAuLoss>(
        backend, AlignmentUniformityOptions{.uniformity_weight = options.uniformity_weight}, l2);
  }
  return std::make_unique<BprLoss>(backend, l2);
}

std::int64_t loss_terms(const Model& model) {
  return model.contrast() == nullptr ? Loss::kTerms : Loss::kTerms + 2;
}

}  // namespace tern
