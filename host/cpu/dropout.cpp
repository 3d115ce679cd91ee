// Drops elements or rows, see Backend::dropout: one pass, in place. Each draw is a function of the
// element's index alone, so that any thread may take any part.

#include <algorithm>

#include "host/checks.hpp"
#include "host/cpu/backend.hpp"
#include "tern/random.hpp"

namespace tern::cpu {

namespace {

/// The words of a place at one step, four to a block.
class Draws {
 public:
  Draws(const DropoutOptions& options, std::uint32_t step)
      : options_(options), step_(step), threshold_(dropout_threshold(options.probability)) {}

  /// Whether indices 4 · block .. 4 · block + 3 are kept.
  void of_block(std::int64_t block, bool (&keeps)[4]) const {
    RandomStream stream(options_.seed, Purpose::kDropout, step_,
                        (std::uint64_t{options_.place} << 48) + static_cast<std::uint64_t>(block));
    for (bool& keep : keeps) keep = stream.next() >= threshold_;
  }

 private:
  const DropoutOptions& options_;
  std::uint32_t step_;
  std::uint32_t threshold_;
};

/// A row of `size` elements, the first of which has the index `first`.
void drop_elements(const Draws& draws, std::int64_t first, std::int64_t size, float scale,
                   float* row) {
  bool keeps[4];
  std::int64_t c = 0;
  while (c < size) {
    const std::int64_t index = first + c;
    draws.of_block(index / 4, keeps);
    const std::int64_t stop = std::min(size, c + 4 - index % 4);
    for (std::int64_t at = index % 4; c < stop; ++c, ++at)
      row[c] = keeps[at] ? row[c] * scale : 0.0F;
  }
}

void drop_rows(const Draws& draws, std::int64_t block, const MatrixView<float>& values) {
  bool keeps[4];
  draws.of_block(block, keeps);
  const std::int64_t end = std::min(values.rows, 4 * block + 4);
  for (std::int64_t r = 4 * block; r < end; ++r) {
    if (!keeps[r % 4]) std::fill_n(values.row(r), values.cols, 0.0F);
  }
}

}  // namespace

void CpuBackend::dropout(const DropoutOptions& options, const Counter& step, Matrix& values) {
  check_dropout(options, step, values);
  const Draws draws(options, static_cast<std::uint32_t>(storage(step).value));
  const MatrixView<float> all = view(values);
  if (options.unit == DropoutOptions::Unit::kRow) {
    const std::int64_t blocks = (all.rows + 3) / 4;
#pragma omp parallel for num_threads(threads_) schedule(static)
    for (std::int64_t block = 0; block < blocks; ++block) drop_rows(draws, block, all);
    return;
  }
  const auto scale = static_cast<float>(1.0 / (1.0 - options.probability));
#pragma omp parallel for num_threads(threads_) schedule(static)
  for (std::int64_t r = 0; r < all.rows; ++r) {
    drop_elements(draws, r * all.cols, all.cols, scale, all.row(r));
  }
}

}  // namespace tern::cpu
