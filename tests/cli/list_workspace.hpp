#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/cli/workspace.hpp"

namespace tern::test {

/// A workspace for tests of lists as tern recommend prints them.
class ListWorkspace : public Workspace {
 protected:
  using Rows = std::vector<std::vector<std::string>>;

  /// The rows of one user.
  static Rows rows_of(const Outcome& outcome, const std::string& user) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    Rows rows;
    for (const std::string& line : lines(outcome.out)) {
      if (cells(line)[0] == user) rows.push_back(cells(line));
    }
    return rows;
  }
  /// One cell of each row.
  static std::vector<std::string> column(const Rows& rows, std::size_t index) {
    std::vector<std::string> cells;
    for (const auto& row : rows) cells.push_back(row.at(index));
    return cells;
  }
};

}  // namespace tern::test
