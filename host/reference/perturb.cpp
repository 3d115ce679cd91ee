#include <algorithm>
#include <cmath>
#include <vector>

#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"
#include "tern/random.hpp"

namespace tern::reference {

// values += ε · sign(values) ⊙ r / max(‖r‖, 1e-12), row by row; then sum += weight · values
void ReferenceBackend::perturb(const PerturbOptions& options, const Counter& step, Matrix& values,
                               const RowSet* rows, const RowSum& sum) {
  check_perturb(options, step, values, rows, sum);
  const MatrixView<double> out = view(values, "perturb", "values");
  MatrixView<double> total;
  std::vector<bool> is_summed;
  if (sum.sum != nullptr) {
    total = view(*sum.sum, "perturb", "sum");
    is_summed = rows_to_read(sum.rows, out.rows, "perturb");
  }
  const auto epoch =
      static_cast<std::uint32_t>(storage_of<CounterStorage>(step, "perturb", "step").value);
  const auto draw = [&](std::int64_t i) {
    const auto index = static_cast<std::uint64_t>(i);
    RandomStream stream(options.seed, Purpose::kPerturb, epoch,
                        (std::uint64_t{options.place} << 48) + index / 4);
    std::uint32_t word = 0;
    for (std::uint64_t j = 0; j <= index % 4; ++j) word = stream.next();
    return (word + 1.0) * 0x1p-32;
  };
  std::vector<double> r(static_cast<std::size_t>(out.cols));
  for (const NodeId row : rows_to_visit(rows, out.rows, "perturb")) {
    double square = 0;
    for (std::int64_t c = 0; c < out.cols; ++c) {
      r[c] = draw(row * out.cols + c);
      square += r[c] * r[c];
    }
    const double norm = std::max(std::sqrt(square), 1e-12);
    for (std::int64_t c = 0; c < out.cols; ++c) {
      if (out(row, c) != 0) {
        out(row, c) += std::copysign(options.magnitude * r[c] / norm, out(row, c));
      }
      if (is_summed.empty() || !is_summed[row]) continue;
      const double before = sum.begin == RowSum::Begin::kAtZero ? 0 : total(row, c);
      total(row, c) = before + sum.weight * out(row, c);
    }
  }
}

}  // namespace tern::reference
