#include "host/support/edit_distance.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <numeric>

namespace tern {

int edit_distance(std::string_view a, std::string_view b, int limit) {
  constexpr std::size_t kMaxBytes = 64;
  a = a.substr(0, kMaxBytes);
  b = b.substr(0, kMaxBytes);
  if (std::abs(static_cast<int>(a.size()) - static_cast<int>(b.size())) > limit) return limit + 1;
  std::array<int, kMaxBytes + 1> row{};  // distances from the bytes of b so far to each prefix of a
  std::iota(row.begin(), row.end(), 0);
  for (const char c : b) {
    int diagonal = row[0]++;
    int least = row[0];
    for (std::size_t i = 0; i < a.size(); ++i) {
      const int substituted = diagonal + (a[i] == c ? 0 : 1);
      diagonal = row[i + 1];
      row[i + 1] = std::min({substituted, diagonal + 1, row[i] + 1});
      least = std::min(least, row[i + 1]);
    }
    if (least > limit) return limit + 1;
  }
  return row[a.size()];
}

}  // namespace tern
