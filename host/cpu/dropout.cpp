// Drops elements or rows, see Backend::dropout: one pass, in place. Each draw is a function of its
// index alone, so any thread can take any piece. The words of a piece are drawn first, in as many
// blocks of the generator side by side as a vector has lanes; this takes less time than loading the
// elements. A draw belongs to an element of a whole row, also in a backend with a part of the columns.

#include <algorithm>
#include <array>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/random_words.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/dropout.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {

/// values[i] = words[i] >= threshold ? values[i] · scale : 0.
void drop_values(const std::uint32_t* HWY_RESTRICT words, std::uint32_t threshold, float scale,
                 std::int64_t size, float* HWY_RESTRICT values) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::CappedTag<float, kBlock> tag;
  const hn::RebindToUnsigned<decltype(tag)> word_tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  std::int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const auto drops = hn::Lt(hn::LoadU(word_tag, words + i), hn::Set(word_tag, threshold));
    const auto value = hn::Mul(hn::LoadU(tag, values + i), hn::Set(tag, scale));
    hn::StoreU(hn::IfThenZeroElse(hn::RebindMask(tag, drops), value), tag, values + i);
  }
  for (; i < size; ++i) values[i] = words[i] >= threshold ? values[i] * scale : 0.0F;
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(drop_values);

namespace {

/// Draws of a piece: 4 KiB of words.
constexpr std::int64_t kDropoutPiece = 1024;
static_assert(kDropoutPiece % (4 * kBlockUnit) == 0);
using DropoutWords = std::array<std::uint32_t, kDropoutPiece>;

/// Those of the elements [begin, end) of the whole rows, in row-major order, that values holds.
void drop_elements(const DropoutWords& words, std::uint32_t threshold, float scale,
                   std::int64_t begin, std::int64_t end, const PartialSums::Place& columns,
                   const MatrixView<float>& values) {
  const auto drop_values = HWY_DYNAMIC_DISPATCH(drop_values);
  for (std::int64_t i = begin; i < end;) {
    const std::int64_t row = i / columns.width;
    const std::int64_t next = std::min(end, (row + 1) * columns.width);
    const std::int64_t held = row * columns.width + columns.first;
    const std::int64_t from = std::max(i, held);
    const std::int64_t to = std::min(next, held + values.cols);
    if (from < to) {
      drop_values(words.data() + (from - begin), threshold, scale, to - from,
                  values.row(row) + (from - held));
    }
    i = next;
  }
}

void drop_rows(const DropoutWords& words, std::uint32_t threshold, std::int64_t begin,
               std::int64_t end, const MatrixView<float>& values) {
  for (std::int64_t r = begin; r < end; ++r) {
    if (words[r - begin] < threshold) std::fill_n(values.row(r), values.cols, 0.0F);
  }
}

}  // namespace

void CpuBackend::dropout(const DropoutOptions& options, const Counter& step, Matrix& values) {
  check_dropout(options, step, values);
  const WordStream stream(Purpose::kDropout, options.seed, storage(step).value, options.place);
  const std::uint32_t threshold = dropout_threshold(options.probability);
  const MatrixView<float> all = view(values);
  const PartialSums::Place columns =
      sums_ == nullptr ? PartialSums::Place{0, all.cols} : sums_->place();
  const bool by_row = options.unit == DropoutOptions::Unit::kRow;
  const auto scale = static_cast<float>(1.0 / (1.0 - options.probability));
  const std::int64_t size = by_row ? all.rows : all.rows * columns.width;
  parallel_for_ranges(pool_, size, kDropoutPiece, [&](std::int64_t begin, std::int64_t end) {
    DropoutWords words;
    draw_words(stream, begin / 4, (end - begin + 3) / 4, words.data());
    if (by_row) {
      drop_rows(words, threshold, begin, end, all);
    } else {
      drop_elements(words, threshold, scale, begin, end, columns, all);
    }
  });
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
