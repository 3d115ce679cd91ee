// Adds noise to rows, see Backend::perturb: each row is one piece of work, its words are drawn into
// the cache, and its order of summation depends on the row alone.
//
// With integers m = word + 1, r = m / 2³² and ε r / ‖r‖ = ε m / ‖m‖: the sums are over m, which is
// at least 1, so that ‖r‖ is far above 1e-12. The noise of a row belongs to all of its columns, so that a
// backend with a part of them draws it whole too.

#include <algorithm>
#include <array>
#include <cmath>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/random_words.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/perturb.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using PerturbTag = hn::CappedTag<float, kBlock>;

/// word + 1, rounded once: the halves of the word are exact.
HWY_INLINE hn::Vec<PerturbTag> perturb_draw(const std::uint32_t* HWY_RESTRICT words) {
  const PerturbTag tag;
  const hn::RebindToUnsigned<PerturbTag> word_tag;
  const hn::RebindToSigned<PerturbTag> int_tag;
  const auto word = hn::LoadU(word_tag, words);
  const auto high = hn::BitCast(int_tag, hn::ShiftRight<16>(word));
  const auto low = hn::BitCast(
      int_tag, hn::Add(hn::And(word, hn::Set(word_tag, 0xFFFFu)), hn::Set(word_tag, 1u)));
  return hn::MulAdd(hn::ConvertTo(tag, high), hn::Set(tag, 65536.0F), hn::ConvertTo(tag, low));
}

float perturb_draw(std::uint32_t word) {
  return static_cast<float>(static_cast<double>(word) + 1.0);
}

}  // namespace

/// Σ m².
float noise_square(const std::uint32_t* HWY_RESTRICT words, std::int64_t size) {
  const PerturbTag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  auto sum = hn::Zero(tag);
  std::int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const auto draw = perturb_draw(words + i);
    sum = hn::MulAdd(draw, draw, sum);
  }
  float square = hn::GetLane(hn::SumOfLanes(tag, sum));
  for (; i < size; ++i) square += perturb_draw(words[i]) * perturb_draw(words[i]);
  return square;
}

/// values += factor · sign(values) ⊙ m.
void add_noise(const std::uint32_t* HWY_RESTRICT words, float factor, std::int64_t size,
               float* HWY_RESTRICT values) {
  const PerturbTag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto zero = hn::Zero(tag);
  std::int64_t i = 0;
  for (; i + lanes <= size; i += lanes) {
    const auto value = hn::LoadU(tag, values + i);
    const auto noise = hn::CopySign(hn::Mul(hn::Set(tag, factor), perturb_draw(words + i)), value);
    hn::StoreU(hn::IfThenElse(hn::Eq(value, zero), value, hn::Add(value, noise)), tag, values + i);
  }
  for (; i < size; ++i) {
    if (values[i] != 0.0F) values[i] += std::copysign(factor * perturb_draw(words[i]), values[i]);
  }
}

/// sum = kept · sum + weight · values over whole blocks, without reading the sum if kept is 0.
void add_weighted(const float* HWY_RESTRICT values, float weight, float kept, std::int64_t size,
                  float* HWY_RESTRICT sum) {
  const PerturbTag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto by = hn::Set(tag, weight);
  for (std::int64_t i = 0; i < size; i += lanes) {
    const auto value = hn::Load(tag, values + i);
    hn::Store(kept == 0.0F ? hn::Mul(by, value) : hn::MulAdd(by, value, hn::Load(tag, sum + i)),
              tag, sum + i);
  }
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(noise_square);
HWY_EXPORT(add_noise);
HWY_EXPORT(add_weighted);

namespace {

/// Columns that are drawn at a time, and room for their blocks if the first column is within one.
constexpr std::int64_t kPerturbPiece = 1024;
using PerturbWords = std::array<std::uint32_t, kPerturbPiece + 4 * kBlockUnit>;

/// Draws the words of row-major elements [begin, begin + size); returns the first one's.
const std::uint32_t* draw_elements(const WordStream& stream, std::int64_t begin, std::int64_t size,
                                   PerturbWords& words) {
  const std::int64_t first = begin / 4;
  draw_words(stream, first, (begin + size + 3) / 4 - first, words.data());
  return words.data() + begin % 4;
}

/// Adds noise to row `row` of values, which are its columns [first, first + values.cols) of `width`.
void perturb_row(const WordStream& stream, float magnitude, std::int64_t row,
                 const MatrixView<float>& values, std::int64_t first, std::int64_t width) {
  const auto noise_square = HWY_DYNAMIC_DISPATCH(noise_square);
  const auto add_noise = HWY_DYNAMIC_DISPATCH(add_noise);
  PerturbWords words;
  float* const at = values.row(row);
  const std::int64_t begin = row * width;
  if (width <= kPerturbPiece) {
    const std::uint32_t* const drawn = draw_elements(stream, begin, width, words);
    const float factor = magnitude / std::sqrt(noise_square(drawn, width));
    add_noise(drawn + first, factor, values.cols, at);
    return;
  }
  // A wide row is drawn twice, piece by piece.
  const auto for_pieces = [&](std::int64_t from, std::int64_t cols, const auto& use) {
    for (std::int64_t c = 0; c < cols; c += kPerturbPiece) {
      const std::int64_t size = std::min(kPerturbPiece, cols - c);
      use(draw_elements(stream, begin + from + c, size, words), size, c);
    }
  };
  float square = 0.0F;
  for_pieces(0, width, [&](const std::uint32_t* drawn, std::int64_t size, std::int64_t /*c*/) {
    square += noise_square(drawn, size);
  });
  for_pieces(first, values.cols,
             [&](const std::uint32_t* drawn, std::int64_t size, std::int64_t c) {
               add_noise(drawn, magnitude / std::sqrt(square), size, at + c);
             });
}

}  // namespace

void CpuBackend::perturb(const PerturbOptions& options, const Counter& step, Matrix& values,
                         const RowSet* rows, const RowSum& sum) {
  check_perturb(options, step, values, rows, sum);
  const WordStream stream(Purpose::kPerturb, options.seed, storage(step).value, options.place);
  const float magnitude = finite_factor(options.magnitude);
  const MatrixView<float> all = view(values);
  if (all.cols == 0) return;
  const PartialSums::Place place =
      sums_ == nullptr ? PartialSums::Place{0, all.cols} : sums_->place();
  const MatrixView<float> total = sum.sum == nullptr ? MatrixView<float>() : view(*sum.sum);
  const std::uint8_t* const summed =
      sum.sum == nullptr || sum.rows == nullptr ? nullptr : storage(*sum.rows).marks.data();
  const float kept = sum.begin == RowSum::Begin::kAtZero ? 0.0F : 1.0F;
  const auto weight = finite_factor(sum.weight);
  const auto add_weighted = HWY_DYNAMIC_DISPATCH(add_weighted);
  const std::vector<NodeId>* const wanted = rows == nullptr ? nullptr : &storage(*rows).rows;
  const std::int64_t count =
      wanted == nullptr ? all.rows : static_cast<std::int64_t>(wanted->size());
  parallel_for_blocks(pool_, count, kRowBlock, [&](std::int64_t i) {
    const std::int64_t row = wanted == nullptr ? i : (*wanted)[i];
    if (magnitude > 0.0F) {
      perturb_row(stream, magnitude, row, all, place.first, place.width);
    }
    if (total.data == nullptr || (summed != nullptr && summed[row] == 0)) return;
    add_weighted(all.row(row), weight, kept, all.stride, total.row(row));
  });
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
