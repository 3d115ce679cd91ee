#include "bench/variants/cpu/propagate_rivals.hpp"

#include <Eigen/SparseCore>
#include <vector>

namespace tern::bench {
namespace {

class PlainLoop final : public PropagateRival {
 public:
  PlainLoop(const Interactions& rows, const Interactions& columns, std::int64_t width, int threads)
      : rows_(rows),
        to_(degree_scales(rows)),
        from_(degree_scales(columns)),
        width_(width),
        threads_(threads) {}

  void run(std::span<const float> x, std::span<float> y) override {
    const NodeId count = rows_.num_users();
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 64)
    for (NodeId row = 0; row < count; ++row) {
      float* out = y.data() + row * width_;
      for (std::int64_t f = 0; f < width_; ++f) out[f] = 0.0F;
      for (const NodeId column : rows_.row(row)) {
        const float weight =
            to_[static_cast<std::size_t>(row)] * from_[static_cast<std::size_t>(column)];
        const float* in = x.data() + column * width_;
        for (std::int64_t f = 0; f < width_; ++f) out[f] += weight * in[f];
      }
    }
  }

 private:
  const Interactions& rows_;
  std::vector<float> to_;
  std::vector<float> from_;
  std::int64_t width_;
  int threads_;
};

class EigenProduct final : public PropagateRival {
 public:
  EigenProduct(const Interactions& rows, const Interactions& columns, std::int64_t width,
               int threads)
      : matrix_(rows.num_users(), rows.num_items()), width_(width) {
    const std::vector<float> to = degree_scales(rows);
    const std::vector<float> from = degree_scales(columns);
    std::vector<Eigen::Triplet<float>> entries;
    for (NodeId row = 0; row < rows.num_users(); ++row) {
      for (const NodeId column : rows.row(row)) {
        entries.emplace_back(
            row, column,
            to[static_cast<std::size_t>(row)] * from[static_cast<std::size_t>(column)]);
      }
    }
    matrix_.setFromTriplets(entries.begin(), entries.end());
    Eigen::setNbThreads(threads);
  }

  void run(std::span<const float> x, std::span<float> y) override {
    const Eigen::Map<const Dense> in(x.data(), matrix_.cols(), width_);
    Eigen::Map<Dense> out(y.data(), matrix_.rows(), width_);
    out.noalias() = matrix_ * in;
  }

 private:
  using Dense = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::SparseMatrix<float, Eigen::RowMajor> matrix_;
  std::int64_t width_;
};

}  // namespace

std::unique_ptr<PropagateRival> make_plain_loop(const Interactions& rows,
                                                const Interactions& columns, std::int64_t width,
                                                int threads) {
  return std::make_unique<PlainLoop>(rows, columns, width, threads);
}

std::unique_ptr<PropagateRival> make_eigen(const Interactions& rows, const Interactions& columns,
                                           std::int64_t width, int threads) {
  return std::make_unique<EigenProduct>(rows, columns, width, threads);
}

}  // namespace tern::bench
