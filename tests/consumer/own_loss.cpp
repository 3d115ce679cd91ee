// A loss of one's own, and the check of its gradient: BPR with a penalty of the final embeddings' lengths,
// right and with the penalty's gradient of the wrong sign.
#include <array>
#include <cstdio>
#include <memory>

#include "tern/tern.hpp"

using tern::Matrix;
using tern::Side;

/// loss = bpr + 0.1/2B Σ_t (‖u_t‖² + ‖p_t‖² + ‖n_t‖²), all over final embeddings.
class ShortBpr final : public tern::Loss {
 public:
  /// sign: of the penalty's gradient.
  ShortBpr(tern::Backend& backend, double sign) : backend_(backend), sign_(sign) {}

  std::string_view name() const override { return "short bpr"; }

  void prepare(tern::Model& model) override {
    for (const Side side : {Side::kUser, Side::kItem}) {
      const Matrix& like = model.embeddings(side);
      pull_[index(side)] = backend_.allocate(like.rows(), like.cols());
      unused_[index(side)] = backend_.allocate(like.rows(), like.cols());
    }
  }

  void backward(tern::Model& model, tern::Batch& batch, Matrix& losses) override {
    tern::Triplets& triplets = batch.triplets();
    const Matrix& users = model.embeddings(Side::kUser);
    const Matrix& items = model.embeddings(Side::kItem);
    backend_.bpr(triplets, users, items, model.embedding_gradient(Side::kUser),
                 model.embedding_gradient(Side::kItem), losses);
    for (Matrix& pull : pull_) backend_.fill(pull, 0.0);
    backend_.l2_penalty(triplets, 0.1, users, items, pull_[0], pull_[1], losses);
    for (const Side side : {Side::kUser, Side::kItem}) {
      // The op's sum: gradient += sign · pull.
      backend_.normalize_rows(pull_[index(side)], unused_[index(side)],
                              {.sum = &model.embedding_gradient(side), .weight = sign_});
    }
    model.backward();
  }

 private:
  static std::size_t index(Side side) { return static_cast<std::size_t>(side); }

  tern::Backend& backend_;
  double sign_;
  std::array<Matrix, 2> pull_;
  std::array<Matrix, 2> unused_;
};

int main() {
  const auto check = [](double sign) {
    return tern::check_loss(
        [sign](tern::Backend& backend) { return std::make_unique<ShortBpr>(backend, sign); });
  };
  const tern::GradientCheckResult right = check(1.0);
  const tern::GradientCheckResult wrong = check(-1.0);
  std::printf("%s\n%s\n", right.describe().c_str(), wrong.describe().c_str());
  return right.passed() && wrong.finding == tern::GradientFinding::kWrong ? 0 : 1;
}
