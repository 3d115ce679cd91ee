#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"
#include "host/support/bf16.hpp"

namespace tern::reference {
namespace {

/// The scales of a side's nodes: its own, ones, or the given.
std::vector<double> scales_of(const Direction& side, Normalization normalization,
                              const Matrix* given) {
  if (normalization == Normalization::kDegree) return side.scales;
  if (normalization == Normalization::kNone) return std::vector<double>(side.scales.size(), 1.0);
  return storage_of<MatrixStorage>(*given, "propagate", "scales").values;
}

/// An element of x as propagate reads it.
double gathered(double value, GatherPrecision precision) {
  return precision == GatherPrecision::kBf16 ? round_to_bf16(static_cast<float>(value)) : value;
}

}  // namespace

// y = scale · (s_to ⊙ (A (s_from ⊙ x)) + addend)
void ReferenceBackend::propagate(const Graph& graph, Side to, const Matrix& x, Matrix& y,
                                 const PropagateOptions& options) {
  check_propagate(graph, to, x, y, options);
  const auto& storage = storage_of<GraphStorage>(graph, "propagate", "graph");
  const Interactions& neighbours = storage.rows_of(to).neighbours;
  const std::vector<double> scales_to =
      scales_of(storage.rows_of(to), options.normalization, options.to_scales);
  const std::vector<double> scales_from =
      scales_of(storage.rows_of(opposite(to)), options.normalization, options.from_scales);
  const MatrixView<const double> in = view(x, "propagate", "x");
  const GatherPrecision precision = storage_of<MatrixStorage>(x, "propagate", "x").gather;
  const MatrixView<double> out = view(y, "propagate", "y");
  MatrixView<const double> addend;
  if (options.addend != nullptr) addend = view(*options.addend, "propagate", "addend");

  const std::vector<bool> reads_x = rows_to_read(options.from, in.rows, "propagate");
  const std::vector<bool> reads_addend = rows_to_read(options.addend_rows, out.rows, "propagate");
  for (const NodeId row : rows_to_visit(options.to, out.rows, "propagate")) {
    for (std::int64_t d = 0; d < out.cols; ++d) {
      double sum = 0;
      for (const NodeId neighbour : neighbours.row(row)) {
        if (!reads_x[neighbour]) continue;
        sum += scales_from[neighbour] * gathered(in(neighbour, d), precision);
      }
      sum *= scales_to[row];
      if (options.addend != nullptr && reads_addend[row]) sum += addend(row, d);
      out(row, d) = options.scale * sum;
    }
  }
}

}  // namespace tern::reference
