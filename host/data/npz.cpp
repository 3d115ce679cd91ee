// SciPy's save_npz writes the members format, shape, data, and indices and indptr (csr, csc, bsr), row
// and col (coo) or offsets (dia). Source: SciPy 1.17.

#include "host/data/npz.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "host/data/memory_budget.hpp"
#include "host/data/npy.hpp"
#include "host/data/zip_archive.hpp"
#include "host/support/file_bytes.hpp"
#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

class NpzReader {
 public:
  NpzReader(const ZipArchive& archive, const std::string& file, std::int64_t limit)
      : archive_(archive), file_(file), limit_(limit) {}

  std::variant<Tensor, SparseElements> read();

 private:
  SparseElements read_sparse();
  Tensor array(const std::string& member);
  std::vector<std::int64_t> integers(const std::string& member);
  void read_compressed(bool by_rows, SparseElements& matrix);
  void check_places(const std::vector<std::int64_t>& rows, const std::vector<std::int64_t>& columns,
                    SparseElements& matrix) const;
  [[noreturn]] void fail(const std::string& message) const { throw DataError(file_, 0, message); }

  const ZipArchive& archive_;
  const std::string& file_;
  std::int64_t limit_;
};

std::variant<Tensor, SparseElements> NpzReader::read() {
  if (archive_.contains("format.npy") && archive_.contains("shape.npy")) return read_sparse();
  const std::vector<std::string> names = archive_.names();
  if (names.size() != 1) {
    std::vector<std::string> shown;
    for (std::size_t i = 0; i < names.size() && i < 8; ++i) shown.push_back(in_message(names[i]));
    fail(fmt::format(
        "found {} arrays ({}{}), expected one (numpy.savez(file, features)) or a sparse "
        "matrix (scipy.sparse.save_npz)",
        names.size(), fmt::join(shown, ", "), names.size() > 8 ? ", ..." : ""));
  }
  return array(names.front());
}

Tensor NpzReader::array(const std::string& member) {
  const ByteBuffer bytes = archive_.read(member, limit_);
  return read_npy_bytes(bytes.view(), fmt::format("{} ({})", file_, in_message(member)));
}

std::vector<std::int64_t> NpzReader::integers(const std::string& member) {
  const Tensor tensor = array(member);
  if (tensor.shape.size() != 1) fail(fmt::format("{} has no single dimension", member));
  return std::visit(
      [&](const auto& values) -> std::vector<std::int64_t> {
        using Value = typename std::decay_t<decltype(values)>::value_type;
        if constexpr (std::is_integral_v<Value>) {
          return {values.begin(), values.end()};
        } else {
          fail(fmt::format("{} has no integers", member));
        }
      },
      tensor.values);
}

SparseElements NpzReader::read_sparse() {
  // The format is an array of bytes without dimensions: its name is at the end.
  const ByteBuffer bytes = archive_.read("format.npy", limit_);
  const std::string_view format = bytes.view();
  const bool by_rows = format.ends_with("csr");
  const bool by_columns = format.ends_with("csc");
  if (!by_rows && !by_columns && !format.ends_with("coo")) {
    fail(
        "found a sparse matrix in another format than csr, csc and coo; save it as CSR: "
        "scipy.sparse.save_npz(file, matrix.tocsr())");
  }
  const std::vector<std::int64_t> shape = integers("shape.npy");
  constexpr std::int64_t kMax = std::numeric_limits<NodeId>::max();
  if (shape.size() != 2 || shape[0] < 0 || shape[1] < 0 || shape[0] > kMax || shape[1] > kMax) {
    fail(fmt::format("the sparse matrix has the shape [{}], expected two sizes below 2^31",
                     fmt::join(shape, ", ")));
  }
  SparseElements matrix{shape[0], shape[1], {}, {}, {}};
  std::visit([&](const auto& data) { matrix.values.assign(data.begin(), data.end()); },
             array("data.npy").values);
  if (by_rows || by_columns) {
    read_compressed(by_rows, matrix);
  } else {
    const std::vector<std::int64_t> rows = integers("row.npy");
    check_places(rows, integers("col.npy"), matrix);
  }
  return matrix;
}

/// Rows are compressed in csr, columns in csc.
void NpzReader::read_compressed(bool by_rows, SparseElements& matrix) {
  const std::vector<std::int64_t> offsets = integers("indptr.npy");
  const std::vector<std::int64_t> indices = integers("indices.npy");
  const auto lines = static_cast<std::size_t>(by_rows ? matrix.num_rows : matrix.num_columns);
  const auto size = static_cast<std::int64_t>(indices.size());
  if (offsets.size() != lines + 1 || offsets.front() != 0 || offsets.back() != size) {
    fail(fmt::format(
        "indptr does not fit the shape: found {} offsets, expected {}, from 0 to the {} "
        "elements",
        offsets.size(), lines + 1, size));
  }
  require_memory(static_cast<std::uint64_t>(size) * sizeof(std::int64_t), file_);
  std::vector<std::int64_t> line_of_element;
  line_of_element.reserve(indices.size());
  for (std::size_t line = 0; line < lines; ++line) {
    if (offsets[line] > offsets[line + 1] || offsets[line + 1] > size) {
      fail(fmt::format("{} {}: found the offset {} after {}, expected ascending ones to {}",
                       by_rows ? "row" : "column", line, offsets[line + 1], offsets[line], size));
    }
    line_of_element.resize(static_cast<std::size_t>(offsets[line + 1]),
                           static_cast<std::int64_t>(line));
  }
  if (by_rows) {
    check_places(line_of_element, indices, matrix);
  } else {
    check_places(indices, line_of_element, matrix);
  }
}

void NpzReader::check_places(const std::vector<std::int64_t>& rows,
                             const std::vector<std::int64_t>& columns,
                             SparseElements& matrix) const {
  if (rows.size() != matrix.values.size() || columns.size() != matrix.values.size()) {
    fail(fmt::format("found {} values, but {} rows and {} columns of them", matrix.values.size(),
                     rows.size(), columns.size()));
  }
  matrix.rows.reserve(rows.size());
  matrix.columns.reserve(rows.size());
  for (std::size_t e = 0; e < rows.size(); ++e) {
    if (rows[e] < 0 || rows[e] >= matrix.num_rows) {
      fail(fmt::format("found the row {}, expected 0 to {}", rows[e], matrix.num_rows - 1));
    }
    if (columns[e] < 0 || columns[e] >= matrix.num_columns) {
      fail(fmt::format("row {}: found the column {}, expected 0 to {}", rows[e], columns[e],
                       matrix.num_columns - 1));
    }
    matrix.rows.push_back(static_cast<NodeId>(rows[e]));
    matrix.columns.push_back(static_cast<NodeId>(columns[e]));
  }
}

}  // namespace

std::variant<Tensor, SparseElements> read_npz(const std::filesystem::path& path,
                                              std::int64_t max_bytes) {
  const std::string file = path.string();
  ByteLimit limit(file, max_bytes, "the most that data.max_bytes allows");
  FileStream stream(file);
  const ByteBuffer bytes = read_to_end(stream, stream.size(), limit);
  const ZipArchive archive(bytes.view(), file);
  return NpzReader(archive, file, max_bytes).read();
}

}  // namespace tern
