#include "host/cpu/random_words.hpp"

#include "host/cpu/storage.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/random_words.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using WordTag = hn::CappedTag<std::uint32_t, kBlockUnit>;
using WordVector = hn::Vec<WordTag>;

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

/// philox4x32() of tern/random.hpp, a block a lane.
void draw_blocks(const WordStream& stream, std::int64_t first, std::int64_t blocks,
                 std::uint32_t* HWY_RESTRICT words) {
  const WordTag tag;
  for (std::int64_t b = 0; b < blocks; b += static_cast<std::int64_t>(hn::Lanes(tag))) {
    const std::uint64_t index = stream.first_index + static_cast<std::uint64_t>(first + b);
    const WordVector start = hn::Set(tag, static_cast<std::uint32_t>(index));
    WordVector c0 = hn::Add(start, hn::Iota(tag, 0));
    const WordVector carry = hn::IfThenElseZero(hn::Lt(c0, start), hn::Set(tag, 1u));
    WordVector c1 = hn::Add(hn::Set(tag, static_cast<std::uint32_t>(index >> 32)), carry);
    WordVector c2 = hn::Set(tag, stream.step);
    WordVector c3 = hn::Set(tag, static_cast<std::uint32_t>(stream.purpose) << 24);
    std::uint32_t key0 = stream.key0;
    std::uint32_t key1 = stream.key1;
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
    hn::StoreInterleaved4(c0, c1, c2, c3, tag, words + 4 * b);
  }
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(draw_blocks);

void draw_words(const WordStream& stream, std::int64_t first, std::int64_t blocks,
                std::uint32_t* words) {
  HWY_DYNAMIC_DISPATCH(draw_blocks)(stream, first, blocks, words);
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
