#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "tern/backend.hpp"

namespace tern::test {

/// Host copies of matrices, row-major. Inputs hold f32 values, so that every backend gets the same.
using Values = std::vector<double>;

/// `size` f32 values, uniform over [-scale, scale].
Values random_values(std::int64_t size, std::uint64_t seed, double scale = 1.0);
/// `size` integers, uniform over [-most, most]: small sums and products of them are exact in f32.
Values random_integers(std::int64_t size, std::uint64_t seed, int most);
/// Random nodes, each with probability `share`.
std::vector<NodeId> random_rows(NodeId num_nodes, std::uint64_t seed, double share);
/// For each row, whether it is in `rows`.
std::vector<bool> marks(std::int64_t num_rows, std::span<const NodeId> rows);
Values absolute(Values values);
/// The values with NaN in every row that is not marked.
Values poison_rows(Values values, std::int64_t cols, const std::vector<bool>& keep);

Matrix make_matrix(Backend& backend, std::int64_t rows, std::int64_t cols,
                   std::span<const double> values, const MatrixOptions& options = {});
/// A matrix of NaN, which shows the elements that an op failed to write, and those it must not.
Matrix make_poisoned(Backend& backend, std::int64_t rows, std::int64_t cols);
Values values_of(Backend& backend, const Matrix& matrix);
/// The rows of a set, found through the public interface: sgd changes exactly these rows.
std::vector<bool> members(Backend& backend, const RowSet& rows);
/// The same by the set's marks instead of its list: an addend with only these rows shows them.
std::vector<bool> marked(Backend& backend, const RowSet& rows);

/// A storage of no backend.
class StrangerStorage final : public Storage {};
inline Matrix foreign_matrix(std::int64_t rows, std::int64_t cols) {
  return {std::make_unique<StrangerStorage>(), rows, cols};
}

}  // namespace tern::test
