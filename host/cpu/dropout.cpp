// Drops elements or rows, see Backend::dropout: one pass, in place. Each draw is a function of its
// index alone, so any thread can take any piece. The words of a piece are drawn first, in as many
// blocks of the generator side by side as a vector has lanes; this takes less time than loading the
// elements.

#include <algorithm>
#include <array>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "tern/random.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/dropout.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

#ifndef TERN_HOST_CPU_DROPOUT_
#define TERN_HOST_CPU_DROPOUT_
namespace tern::cpu {

/// What all draws of one call share.
struct DropoutDraws {
  std::uint64_t first_index = 0;  // of the place's first block
  std::uint32_t step = 0;
  std::uint32_t key0 = 0;
  std::uint32_t key1 = 0;
  std::uint32_t threshold = 0;
};

/// Draws of a piece: 4 KiB of words, a whole number of vectors.
inline constexpr std::int64_t kPiece = 1024;
using DropoutWords = std::array<std::uint32_t, kPiece>;

}  // namespace tern::cpu
#endif  // TERN_HOST_CPU_DROPOUT_

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kBlock>;
using WordTag = hn::RebindToUnsigned<Tag>;
using WordVector = hn::Vec<WordTag>;
constexpr auto kLanes = static_cast<std::int64_t>(hn::MaxLanes(Tag()));

/// The halves of the 64-bit products of a vector with a constant.
HWY_INLINE void multiply_words(WordVector a, std::uint32_t factor, WordVector& high,
                               WordVector& low) {
  const WordTag tag;
#if HWY_TARGET == HWY_SCALAR
  const std::uint64_t product = std::uint64_t{hn::GetLane(a)} * factor;
  high = hn::Set(tag, static_cast<std::uint32_t>(product >> 32));
  low = hn::Set(tag, static_cast<std::uint32_t>(product));
#else
  const hn::RepartitionToWide<WordTag> wide;
  const WordVector b = hn::Set(tag, factor);
  const auto even = hn::MulEven(a, b);
  const auto odd = hn::MulEven(hn::BitCast(tag, hn::ShiftRight<32>(hn::BitCast(wide, a))), b);
  high = hn::OddEven(hn::BitCast(tag, odd), hn::BitCast(tag, hn::ShiftRight<32>(even)));
  low = hn::OddEven(hn::BitCast(tag, hn::ShiftLeft<32>(odd)), hn::BitCast(tag, even));
#endif
}

}  // namespace

/// words[4 b + j] = word j of block first + b: philox4x32() of tern/random.hpp, a block a lane.
void draw_words(const DropoutDraws& draws, std::int64_t first, DropoutWords& words) {
  const WordTag tag;
  for (std::int64_t b = 0; b < kPiece / 4; b += kLanes) {
    const std::uint64_t index = draws.first_index + static_cast<std::uint64_t>(first + b);
    const WordVector start = hn::Set(tag, static_cast<std::uint32_t>(index));
    WordVector c0 = hn::Add(start, hn::Iota(tag, 0));
    const WordVector carry = hn::IfThenElseZero(hn::Lt(c0, start), hn::Set(tag, 1u));
    WordVector c1 = hn::Add(hn::Set(tag, static_cast<std::uint32_t>(index >> 32)), carry);
    WordVector c2 = hn::Set(tag, draws.step);
    WordVector c3 = hn::Set(tag, static_cast<std::uint32_t>(Purpose::kDropout) << 24);
    std::uint32_t key0 = draws.key0;
    std::uint32_t key1 = draws.key1;
    for (int round = 0; round < 10; ++round) {
      WordVector high0, low0, high1, low1;
      multiply_words(c0, 0xD2511F53u, high0, low0);
      multiply_words(c2, 0xCD9E8D57u, high1, low1);
      c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(tag, key0));
      c1 = low1;
      c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(tag, key1));
      c3 = low0;
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    hn::StoreInterleaved4(c0, c1, c2, c3, tag, words.data() + 4 * b);
  }
}

/// values[i] = words[i] >= threshold ? values[i] · scale : 0.
void drop_values(const std::uint32_t* HWY_RESTRICT words, std::uint32_t threshold, float scale,
                 std::int64_t size, float* HWY_RESTRICT values) {
  const Tag tag;
  const WordTag word_tag;
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
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
HWY_EXPORT(draw_words);
HWY_EXPORT(drop_values);

namespace {

/// Elements [begin, end) of the row-major order.
void drop_elements(const DropoutDraws& draws, const DropoutWords& words, float scale,
                   std::int64_t begin, std::int64_t end, const MatrixView<float>& values) {
  const auto drop_values = HWY_DYNAMIC_DISPATCH(drop_values);
  for (std::int64_t i = begin; i < end;) {
    const std::int64_t col = i % values.cols;
    const std::int64_t size = std::min(values.cols - col, end - i);
    drop_values(words.data() + (i - begin), draws.threshold, scale, size,
                values.row(i / values.cols) + col);
    i += size;
  }
}

void drop_rows(const DropoutDraws& draws, const DropoutWords& words, std::int64_t begin,
               std::int64_t end, const MatrixView<float>& values) {
  for (std::int64_t r = begin; r < end; ++r) {
    if (words[r - begin] < draws.threshold) std::fill_n(values.row(r), values.cols, 0.0F);
  }
}

}  // namespace

void CpuBackend::dropout(const DropoutOptions& options, const Counter& step, Matrix& values) {
  check_dropout(options, step, values);
  const DropoutDraws draws{.first_index = std::uint64_t{options.place} << 48,
                           .step = static_cast<std::uint32_t>(storage(step).value),
                           .key0 = static_cast<std::uint32_t>(options.seed.value),
                           .key1 = static_cast<std::uint32_t>(options.seed.value >> 32),
                           .threshold = dropout_threshold(options.probability)};
  const MatrixView<float> all = view(values);
  const bool by_row = options.unit == DropoutOptions::Unit::kRow;
  const auto scale = static_cast<float>(1.0 / (1.0 - options.probability));
  const std::int64_t size = by_row ? all.rows : all.rows * all.cols;
  const auto draw_words = HWY_DYNAMIC_DISPATCH(draw_words);
  parallel_for_ranges(pool_, size, kPiece, [&](std::int64_t begin, std::int64_t end) {
    DropoutWords words;
    draw_words(draws, begin / 4, words);
    if (by_row) {
      drop_rows(draws, words, begin, end, all);
    } else {
      drop_elements(draws, words, scale, begin, end, all);
    }
  });
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
