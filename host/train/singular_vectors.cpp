#include "host/train/singular_vectors.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/support/blas_memory.hpp"
#include "host/support/parallel.hpp"
#include "host/support/symmetric_eigen.hpp"
#include "host/support/tall_matrix.hpp"
#include "tern/random.hpp"

namespace tern {
namespace {

/// Vectors in the block beyond the rank: they make the last wanted ones converge sooner.
constexpr std::int64_t kOversampling = 32;
constexpr std::int64_t kNodesAtOnce = 64;
/// How much more a round may amplify the greatest value than the block's least one. A column whose
/// own direction has shrunk below rounding, relative to a greater one's, would be lost.
constexpr double kMaxAmplification = 1e5;
constexpr int kMaxDegree = 12;
/// Squared singular values below this share of the greatest are rounding.
constexpr double kZero = 1e-12;

std::int64_t block_width(std::int64_t users, std::int64_t items, int rank) {
  return std::min({rank + kOversampling, users, items});
}

/// R̃ and its transpose times a block of vectors.
class NormalizedProducts {
 public:
  NormalizedProducts(const Interactions& by_user, const Interactions& by_item,
                     std::span<const double> user_scales, std::span<const double> item_scales)
      : by_user_(by_user),
        by_item_(by_item),
        user_scales_(user_scales),
        item_scales_(item_scales) {}

  /// z = R̃ x.
  void to_users(const TallMatrix& x, TallMatrix& z) const {
    parallel_for_blocks(z.rows, kNodesAtOnce, [&](std::int64_t user) {
      double* out = z.row(user);
      std::fill_n(out, z.cols, 0.0);
      for (const NodeId item : by_user_.row(static_cast<NodeId>(user))) {
        add_row(user_scales_[user] * item_scales_[item], x.row(item), x.cols, out);
      }
    });
  }

  /// y = a R̃ᵀ z + b x + c y.
  void to_items(double a, const TallMatrix& z, double b, const TallMatrix& x, double c,
                TallMatrix& y) const {
    parallel_for_blocks(y.rows, kNodesAtOnce, [&](std::int64_t item) {
      double* out = y.row(item);
      for (std::int64_t d = 0; d < y.cols; ++d) out[d] = b * x.row(item)[d] + c * out[d];
      for (const NodeId user : by_item_.row(static_cast<NodeId>(item))) {
        add_row(a * item_scales_[item] * user_scales_[user], z.row(user), z.cols, out);
      }
    });
  }

 private:
  static void add_row(double scale, const double* row, std::int64_t cols, double* out) {
    for (std::int64_t d = 0; d < cols; ++d) out[d] += scale * row[d];
  }

  const Interactions& by_user_;
  const Interactions& by_item_;
  std::span<const double> user_scales_;
  std::span<const double> item_scales_;
};

TallMatrix random_block(std::int64_t rows, std::int64_t cols, Seed seed) {
  constexpr std::uint32_t kTensor = 0x5356;  // of no model's parameters
  TallMatrix x(rows, cols);
  parallel_for_blocks(rows, kNodesAtOnce, [&](std::int64_t row) {
    RandomStream stream(seed, Purpose::kInitialize, kTensor, static_cast<std::uint64_t>(row));
    for (std::int64_t d = 0; d < cols; ++d) x.row(row)[d] = 2.0 * stream.uniform() - 1.0;
  });
  return x;
}

/// The values are unspecified afterwards.
void set_width(TallMatrix& matrix, std::int64_t cols) {
  matrix.cols = cols;
  matrix.values.resize(static_cast<std::size_t>(matrix.rows * cols));
}

/// x = p(R̃ᵀR̃) x with the Chebyshev polynomial of this degree that stays within 1 on [0, cut].
/// z: (U, cols), overwritten. Degree 1 with cut 0 is a plain power step. Calls on_step before each degree.
void amplify(const NormalizedProducts& products, int degree, double cut, TallMatrix& x,
             TallMatrix& z, const std::function<void()>& on_step) {
  TallMatrix next(x.rows, x.cols);  // the polynomial of the degree before, then of the one after
  on_step();
  products.to_users(x, z);
  const double slope = cut > 0.0 ? 2.0 / cut : 1.0;
  products.to_items(slope, z, cut > 0.0 ? -1.0 : 0.0, x, 0.0, next);
  std::swap(x, next);
  for (int step = 1; step < degree; ++step) {  // T_{m+1}(t) = 2 t T_m(t) - T_{m-1}(t)
    on_step();
    products.to_users(x, z);
    products.to_items(2.0 * slope, z, -2.0, x, -1.0, next);
    std::swap(x, next);
  }
}

int degree_for(double greatest, double cut) {
  const double place = 2.0 * greatest / cut - 1.0;  // where the greatest value lies, beyond 1
  if (!(place > 1.0)) return kMaxDegree;
  return std::clamp(static_cast<int>(std::acosh(kMaxAmplification) / std::acosh(place)), 1,
                    kMaxDegree);
}

bool have_settled(const std::vector<double>& before, const std::vector<double>& now,
                  std::int64_t rank, double tolerance) {
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(rank), now.size());
  if (before.size() < count) return false;
  for (std::size_t j = 0; j < count; ++j) {
    if (!(std::abs(now[j] - before[j]) <= tolerance * now[0])) return false;
  }
  return true;
}

/// Turns the columns of x into the best approximations of right singular vectors in their span.
/// Returns the squared values.
std::vector<double> rayleigh_ritz(const NormalizedProducts& products, TallMatrix& x,
                                  TallMatrix& z) {
  products.to_users(x, z);
  SymmetricEigen eigen = symmetric_eigen(gram(z, shared_pool()), x.cols);
  std::vector<double> rotation(eigen.vectors.size());
  for (std::int64_t i = 0; i < x.cols; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) {
      rotation[i * x.cols + j] = eigen.vectors[j * x.cols + i];
    }
  }
  multiply_right(x, rotation, x.cols, shared_pool());
  return std::move(eigen.values);
}

/// The leading columns of x, without those of zero values.
void take_leading(const TallMatrix& x, const std::vector<double>& squares, int rank,
                  SingularVectors& result) {
  while (result.rank < std::min<std::int64_t>(rank, x.cols) &&
         squares[result.rank] > kZero * squares[0]) {
    result.values.push_back(std::sqrt(squares[result.rank++]));
  }
  result.items.reserve(static_cast<std::size_t>(x.rows * result.rank));
  for (std::int64_t item = 0; item < x.rows; ++item) {
    result.items.insert(result.items.end(), x.row(item), x.row(item) + result.rank);
  }
}

}  // namespace

SingularVectors singular_vectors(const Interactions& by_user, const Interactions& by_item,
                                 std::span<const double> user_scales,
                                 std::span<const double> item_scales,
                                 const SingularOptions& options,
                                 const std::function<void(int)>& on_round) {
  const std::int64_t users = by_user.num_users(), items = by_user.num_items();
  SingularVectors result;
  if (by_user.size() == 0) {
    result.settled = true;
    return result;
  }
  prepare_blas(shared_pool());
  const NormalizedProducts products(by_user, by_item, user_scales, item_scales);
  TallMatrix x = random_block(items, block_width(users, items, options.rank), options.seed);
  TallMatrix z(users, x.cols);
  std::vector<double> before, squares;
  while (!result.settled && result.rounds < options.max_rounds) {
    const auto report = [&] {
      if (on_round) on_round(result.rounds + 1);
    };
    set_width(z, x.cols);
    const double cut = squares.empty() ? 0.0 : squares.back();
    // Without an estimate, or if the block holds all values, plain steps.
    const bool is_plain = squares.empty() || !(cut > kZero * squares[0]);
    amplify(products, is_plain ? 1 : degree_for(squares[0], cut), is_plain ? 0.0 : cut, x, z,
            report);
    report();
    orthonormalize(x, shared_pool());
    report();
    set_width(z, x.cols);
    squares = rayleigh_ritz(products, x, z);
    ++result.rounds;
    result.settled = have_settled(before, squares, options.rank, options.tolerance);
    before = squares;
  }
  take_leading(x, squares, options.rank, result);
  return result;
}

std::int64_t singular_vectors_bytes(std::int64_t users, std::int64_t items, int rank) {
  const std::int64_t width = block_width(users, items, rank);
  // Two blocks of items and one of users; Gram matrices in 16 parts.
  return 8 * (width * (2 * items + users) + 20 * width * width);
}

}  // namespace tern
