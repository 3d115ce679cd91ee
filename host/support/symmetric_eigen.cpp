#include "host/support/symmetric_eigen.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "tern/error.hpp"

namespace tern {
namespace {

/// A tridiagonal T = Q A Qᵀ: diagonal d, and below it e. Rows of q: those of Q.
struct Tridiagonal {
  std::vector<double> d, e, q;
};

/// Zeros column k of A below its first subdiagonal by a reflection H = I - 2 v vᵀ / vᵀv, column after
/// column. Only the trailing block changes, A = H A H.
Tridiagonal reduce(std::vector<double> a, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = i + 1; j < n; ++j) a[i * n + j] = a[j * n + i];
  }
  std::vector<double> q(static_cast<std::size_t>(n * n), 0.0);
  for (std::int64_t i = 0; i < n; ++i) q[i * n + i] = 1.0;
  std::vector<double> v(static_cast<std::size_t>(n)), p(v.size());
  for (std::int64_t k = 0; k + 2 < n; ++k) {
    double below = 0.0;
    for (std::int64_t i = k + 2; i < n; ++i) below += a[i * n + k] * a[i * n + k];
    if (below == 0.0) continue;
    const double first = a[(k + 1) * n + k];
    const double norm = std::copysign(std::sqrt(first * first + below), first);
    const std::int64_t from = k + 1;
    for (std::int64_t i = from; i < n; ++i) v[i] = a[i * n + k];
    v[from] += norm;
    const double beta = 2.0 / (v[from] * v[from] + below);
    // A = A - v wᵀ - w vᵀ with p = β A v, w = p - β/2 (pᵀv) v.
    double along = 0.0;
    for (std::int64_t i = from; i < n; ++i) {
      p[i] = beta * std::inner_product(a.begin() + i * n + from, a.begin() + (i + 1) * n,
                                       v.begin() + from, 0.0);
      along += p[i] * v[i];
    }
    for (std::int64_t i = from; i < n; ++i) p[i] -= beta / 2.0 * along * v[i];
    for (std::int64_t i = from; i < n; ++i) {
      for (std::int64_t j = from; j < n; ++j) a[i * n + j] -= v[i] * p[j] + p[i] * v[j];
    }
    a[from * n + k] = -norm;
    // Q = H Q
    std::fill(p.begin(), p.end(), 0.0);
    for (std::int64_t i = from; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) p[j] += beta * v[i] * q[i * n + j];
    }
    for (std::int64_t i = from; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) q[i * n + j] -= v[i] * p[j];
    }
  }
  Tridiagonal t{.d = std::vector<double>(v.size()), .e = std::vector<double>(v.size()), .q = {}};
  for (std::int64_t i = 0; i < n; ++i) {
    t.d[i] = a[i * n + i];
    t.e[i] = i + 1 < n ? a[(i + 1) * n + i] : 0.0;
  }
  t.q = std::move(q);
  return t;
}

/// One QL step on rows [first, last] with Wilkinson's shift: a rotation chases the bulge upwards.
void ql_step(Tridiagonal& t, std::int64_t first, std::int64_t last) {
  const auto n = static_cast<std::int64_t>(t.d.size());
  const double half = (t.d[first + 1] - t.d[first]) / (2.0 * t.e[first]);
  const double shift =
      t.d[first] - t.e[first] / (half + std::copysign(std::hypot(half, 1.0), half));
  double g = t.d[last] - shift;
  double s = 1.0, c = 1.0, p = 0.0;
  for (std::int64_t i = last - 1; i >= first; --i) {
    const double f = s * t.e[i];
    const double b = c * t.e[i];
    const double r = std::hypot(f, g);
    t.e[i + 1] = r;
    if (r == 0.0) {  // the matrix falls apart here: the next search finds it
      t.d[i + 1] -= p;
      t.e[last] = 0.0;
      return;
    }
    s = f / r;
    c = g / r;
    g = t.d[i + 1] - p;
    const double q = (t.d[i] - g) * s + 2.0 * c * b;
    p = s * q;
    t.d[i + 1] = g + p;
    g = c * q - b;
    double* low = t.q.data() + i * n;
    double* high = low + n;
    for (std::int64_t k = 0; k < n; ++k) {
      const double old = high[k];
      high[k] = s * low[k] + c * old;
      low[k] = c * low[k] - s * old;
    }
  }
  t.d[first] -= p;
  t.e[first] = g;
  t.e[last] = 0.0;
}

void diagonalize(Tridiagonal& t) {
  constexpr int kMaxSteps = 100;  // two or three are usual
  const auto n = static_cast<std::int64_t>(t.d.size());
  for (std::int64_t first = 0; first < n; ++first) {
    for (int step = 0;; ++step) {
      std::int64_t last = first;
      for (; last + 1 < n; ++last) {
        const double size = std::abs(t.d[last]) + std::abs(t.d[last + 1]);
        if (std::abs(t.e[last]) <= std::numeric_limits<double>::epsilon() * size) break;
      }
      if (last == first) break;
      if (step == kMaxSteps)
        throw NumericalFault("the eigenvalues of a small matrix do not settle");
      ql_step(t, first, last);
    }
  }
}

}  // namespace

SymmetricEigen symmetric_eigen(std::vector<double> a, std::int64_t n) {
  if (!std::ranges::all_of(a, [](double value) { return std::isfinite(value); })) {
    throw NumericalFault("a small matrix has numbers that are not finite");
  }
  Tridiagonal t = reduce(std::move(a), n);
  diagonalize(t);
  std::vector<std::int64_t> order(t.d.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::ranges::stable_sort(order, [&](std::int64_t i, std::int64_t j) { return t.d[i] > t.d[j]; });
  SymmetricEigen result;
  for (const std::int64_t i : order) {
    result.values.push_back(t.d[i]);
    result.vectors.insert(result.vectors.end(), t.q.begin() + i * n, t.q.begin() + (i + 1) * n);
  }
  return result;
}

}  // namespace tern
