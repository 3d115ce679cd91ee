#pragma once

#include <cstdint>

#include "tern/types.hpp"

namespace tern {

/// The purpose of a random stream. Streams of different purposes never share a counter.
enum class Purpose : std::uint32_t {
  kPositive = 1,
  kNegative = 2,
  kPermutation = 3,
  kInitialize = 4,
  kSplit = 5,
  kGenerate = 6,
  kDropout = 7,
  kPerturb = 8,
  kBootstrap = 9,
};

/// Four 32-bit words: a counter, or a block of random output.
struct Words {
  std::uint32_t word[4];
};

/// Philox4x32-10: a keyed bijection of 128-bit counters whose outputs pass statistical tests.
/// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". Exact integers, the
/// same on every machine; checked against the published known-answer vectors.
TERN_HD inline Words philox4x32(Words counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = 0xD2511F53ull * counter.word[0];
    const std::uint64_t product1 = 0xCD9E8D57ull * counter.word[2];
    counter = Words{{static_cast<std::uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0,
                     static_cast<std::uint32_t>(product1),
                     static_cast<std::uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1,
                     static_cast<std::uint32_t>(product0)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// The random words of one (seed, purpose, epoch, index): word j is output j % 4 of
/// Philox(counter = {index low, index high, epoch, purpose << 24 | j / 4}, key = seed low, high).
/// Streams are independent of each other, so that any thread can draw triplets in any order.
class RandomStream {
 public:
  TERN_HD RandomStream(Seed seed, Purpose purpose, std::uint32_t epoch, std::uint64_t index)
      : counter_{{static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32), epoch,
                  static_cast<std::uint32_t>(purpose) << 24}},
        key0_(static_cast<std::uint32_t>(seed.value)),
        key1_(static_cast<std::uint32_t>(seed.value >> 32)) {}

  /// The next 32 random bits.
  TERN_HD std::uint32_t next() {
    if (used_ == 4) {
      block_ = philox4x32(counter_, key0_, key1_);
      ++counter_.word[3];
      used_ = 0;
    }
    ++used_;
    // Always the first word: an index that is only known at run time would move the words of a GPU
    // thread from registers into memory.
    const std::uint32_t word = block_.word[0];
    block_ = Words{{block_.word[1], block_.word[2], block_.word[3], word}};
    return word;
  }

  /// The next 64 random bits: the first word is the low half.
  TERN_HD std::uint64_t next64() {
    const std::uint64_t low = next();
    return low | (static_cast<std::uint64_t>(next()) << 32);
  }

  /// Uniform over [0, n), n >= 1, without modulo bias. Source: Lemire 2019, "Fast random integer
  /// generation in an interval" (algorithm 5): a word is drawn again with a
  /// probability below n / 2³².
  TERN_HD std::uint32_t below(std::uint32_t n) {
    std::uint64_t product = static_cast<std::uint64_t>(next()) * n;
    std::uint32_t low = static_cast<std::uint32_t>(product);
    if (low < n) {
      const std::uint32_t threshold = (0u - n) % n;
      while (low < threshold) {
        product = static_cast<std::uint64_t>(next()) * n;
        low = static_cast<std::uint32_t>(product);
      }
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

  /// Uniform over (0, 1]: (word + 1) / 2³², so that its logarithm is finite.
  TERN_HD double uniform() { return (static_cast<double>(next()) + 1.0) * 0x1p-32; }

 private:
  Words counter_;
  Words block_{};
  std::uint32_t key0_;
  std::uint32_t key1_;
  int used_ = 4;
};

/// A seeded permutation of [0, n), evaluated one index at a time without a table.
/// An index is written as (left, right) with left < a, right < b, a·b >= n, a = ceil(sqrt n); eight
/// rounds in turn add a keyed hash of one half to the other half, modulo its size; an image >= n is
/// permuted again (at most a - 1 of a·b are, so that this is rare). Bijective for every key.
/// Source: Black and Rogaway 2002, "Ciphers with arbitrary finite domains" (generalised Feistel,
/// cycle walking).
class Permutation {
 public:
  static constexpr int kRounds = 8;

  /// n in [0, 2⁶²).
  TERN_HD Permutation(Seed seed, std::uint32_t epoch, std::uint64_t n) : n_(n), a_(1) {
    while (a_ < (std::uint64_t{1} << 31) && a_ * a_ < n) a_ <<= 1;
    // a_ is a power of two with a² >= n now; walk down to ceil(sqrt n) by bisection.
    std::uint64_t low = a_ >> 1;
    while (low + 1 < a_) {
      const std::uint64_t middle = low + (a_ - low) / 2;
      (middle * middle < n ? low : a_) = middle;
    }
    b_ = n == 0 ? 1 : (n + a_ - 1) / a_;
    RandomStream stream(seed, Purpose::kPermutation, epoch, 0);
    for (std::uint64_t& key : keys_) key = stream.next64();
  }

  TERN_HD std::uint64_t operator()(std::uint64_t index) const {
    do {
      index = step(index);
    } while (index >= n_);
    return index;
  }

 private:
  /// The finaliser of MurmurHash3 (64 bits) on (key + x), reduced to [0, size) by multiplication.
  TERN_HD static std::uint64_t hash(std::uint64_t key, std::uint64_t x, std::uint64_t size) {
    x += key;
    x ^= x >> 33;
    x *= 0xFF51AFD7ED558CCDull;
    x ^= x >> 33;
    x *= 0xC4CEB9FE1A85EC53ull;
    x ^= x >> 33;
    return ((x >> 32) * size) >> 32;
  }

  TERN_HD std::uint64_t step(std::uint64_t index) const {
    std::uint64_t left = index / b_;
    std::uint64_t right = index % b_;
    for (int round = 0; round < kRounds; round += 2) {
      left += hash(keys_[round], right, a_);
      left -= left >= a_ ? a_ : 0;
      right += hash(keys_[round + 1], left, b_);
      right -= right >= b_ ? b_ : 0;
    }
    return left * b_ + right;
  }

  std::uint64_t n_;
  std::uint64_t a_;
  std::uint64_t b_;
  std::uint64_t keys_[kRounds];
};

}  // namespace tern
