#include "tern/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include "tests/support/chi_square.hpp"

namespace tern::test {
namespace {

TEST(ChiSquare, DistinguishesARightLawFromAWrongOne) {
  const std::vector<double> law{0.25, 0.25, 0.5, 0};
  EXPECT_LT(chi_square_deviate(std::vector<std::int64_t>{2510, 2480, 5010, 0}, law), 1);
  EXPECT_GT(chi_square_deviate(std::vector<std::int64_t>{2700, 2300, 5000, 0}, law), kMaxDeviate);
  EXPECT_GT(chi_square_deviate(std::vector<std::int64_t>{2500, 2500, 5000, 1}, law), kMaxDeviate);
}

TEST(Philox, GivesThePublishedAnswers) {
  // Random123 1.14.0, tests/kat_vectors, lines "philox4x32 10":
  // https://github.com/DEShawResearch/random123/blob/v1.14.0/tests/kat_vectors
  struct Known {
    Words counter;
    std::uint32_t key0;
    std::uint32_t key1;
    Words answer;
  };
  const Known vectors[] = {
      {{{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
      {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
       0xffffffff,
       0xffffffff,
       {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
      {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
       0xa4093822,
       0x299f31d0,
       {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
  };
  for (const Known& known : vectors) {
    const Words words = philox4x32(known.counter, known.key0, known.key1);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(words.word[i], known.answer.word[i]);
  }
}

TEST(RandomStream, CountsAsDocumented) {
  const Seed seed{0x0123456789abcdef};
  const std::uint64_t index = 0xfedcba9876543210;
  RandomStream stream(seed, Purpose::kSplit, 77, index);
  for (std::uint32_t j = 0; j < 11; ++j) {
    const Words block =
        philox4x32({{0x76543210, 0xfedcba98, 77, (5u << 24) | (j / 4)}}, 0x89abcdef, 0x01234567);
    EXPECT_EQ(stream.next(), block.word[j % 4]) << j;
  }
}

TEST(RandomStream, TakesLowWordsFirst) {
  RandomStream words(Seed{1}, Purpose::kPositive, 0, 0);
  RandomStream pairs(Seed{1}, Purpose::kPositive, 0, 0);
  const std::uint64_t low = words.next();
  const std::uint64_t high = words.next();
  EXPECT_EQ(pairs.next64(), low | high << 32);
}

TEST(RandomStream, DiffersInEveryPartOfItsName) {
  std::set<std::uint64_t> firsts;
  for (const std::uint64_t seed : {0ull, 1ull, 1ull << 32}) {
    for (const Purpose purpose : {Purpose::kPositive, Purpose::kNegative, Purpose::kPermutation}) {
      for (const std::uint32_t epoch : {0u, 1u}) {
        for (const std::uint64_t index : {0ull, 1ull, 1ull << 32}) {
          firsts.insert(RandomStream(Seed{seed}, purpose, epoch, index).next64());
        }
      }
    }
  }
  EXPECT_EQ(firsts.size(), 3u * 3 * 2 * 3);
}

TEST(RandomStream, UniformIsNeverZero) {
  RandomStream stream(Seed{5}, Purpose::kInitialize, 0, 0);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double value = stream.uniform();
    ASSERT_GT(value, 0);
    ASSERT_LE(value, 1);
    sum += value;
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 5 * std::sqrt(1.0 / 12 / 100'000));
}

TEST(Below, IsUniformOverSmallRanges) {
  for (const std::uint32_t n : {1u, 2u, 3u, 7u, 100u, 1000u}) {
    RandomStream stream(Seed{n}, Purpose::kNegative, 3, 4);
    std::vector<std::int64_t> counts(n, 0);
    for (std::uint32_t i = 0; i < 200 * n + 20'000; ++i) {
      const std::uint32_t draw = stream.below(n);
      ASSERT_LT(draw, n);
      ++counts[draw];
    }
    if (n == 1) continue;  // nothing to compare
    EXPECT_LT(chi_square_deviate(counts, std::vector<double>(n, 1.0 / n)), kMaxDeviate);
  }
}

TEST(Below, IsUniformWhereMultiplyingAloneIsNot) {
  // Of n = 3·2³⁰ numbers, ⌊word · n / 2³²⌋ without redrawing would hit the multiples of 3 twice as
  // often as the others.
  constexpr std::uint32_t kMax = 3u << 30;
  RandomStream stream(Seed{9}, Purpose::kNegative, 0, 0);
  std::vector<std::int64_t> residues(3, 0);
  std::vector<std::int64_t> thirds(3, 0);
  for (int i = 0; i < 60'000; ++i) {
    const std::uint32_t draw = stream.below(kMax);
    ASSERT_LT(draw, kMax);
    ++residues[draw % 3];
    ++thirds[draw >> 30];
  }
  const std::vector<double> law(3, 1.0 / 3);
  EXPECT_LT(chi_square_deviate(residues, law), kMaxDeviate);
  EXPECT_LT(chi_square_deviate(thirds, law), kMaxDeviate);
}

TEST(Permutation, IsABijectionOfEverySmallRange) {
  std::vector<std::uint64_t> sizes;
  for (std::uint64_t n = 1; n <= 300; ++n) sizes.push_back(n);
  for (const std::uint64_t n : {1023, 1024, 1025, 4095, 4096, 4097, 65'537, 123'456}) {
    sizes.push_back(n);
  }
  for (const std::uint64_t n : sizes) {
    for (const std::uint64_t seed : {0, 1}) {
      const Permutation permutation(Seed{seed}, 7, n);
      std::vector<bool> hit(n, false);
      for (std::uint64_t i = 0; i < n; ++i) {
        const std::uint64_t image = permutation(i);
        ASSERT_LT(image, n);
        ASSERT_FALSE(hit[image]) << "n " << n << ": " << image << " comes twice";
        hit[image] = true;
      }
    }
  }
}

TEST(Permutation, KeepsToHugeRanges) {
  for (const std::uint64_t n : {(1ull << 32) + 1, (1ull << 40) - 3, (1ull << 62) - 1}) {
    const Permutation permutation(Seed{3}, 0, n);
    std::set<std::uint64_t> images;
    for (std::uint64_t i = 0; i < 5000; ++i) images.insert(permutation(i * (n / 5000)));
    EXPECT_EQ(images.size(), 5000u);
    EXPECT_LT(*images.rbegin(), n);
    // 5000 uniform draws leave neither end empty.
    EXPECT_LT(*images.begin(), n / 100);
    EXPECT_GT(*images.rbegin(), n / 100 * 99);
  }
  (void)Permutation(Seed{3}, 0, 0);  // a permutation of no numbers must not fail
}

TEST(Permutation, LooksRandomOverSeedsAndEpochs) {
  constexpr std::uint64_t kSize = 10;
  const std::vector<double> law(kSize, 1.0 / kSize);
  for (const std::uint64_t index : {0, 4, 9}) {
    std::vector<std::int64_t> by_seed(kSize, 0);
    std::vector<std::int64_t> by_epoch(kSize, 0);
    for (std::uint32_t i = 0; i < 20'000; ++i) {
      ++by_seed[Permutation(Seed{i}, 0, kSize)(index)];
      ++by_epoch[Permutation(Seed{0}, i, kSize)(index)];
    }
    EXPECT_LT(chi_square_deviate(by_seed, law), kMaxDeviate) << index;
    EXPECT_LT(chi_square_deviate(by_epoch, law), kMaxDeviate) << index;
  }
  // Over many seeds, two indices have every pair of different images equally often.
  std::vector<std::int64_t> pairs(kSize * kSize, 0);
  std::vector<double> pair_law(kSize * kSize, 1.0 / (kSize * (kSize - 1)));
  for (std::uint64_t i = 0; i < kSize; ++i) pair_law[i * kSize + i] = 0;
  for (std::uint64_t seed = 0; seed < 60'000; ++seed) {
    const Permutation permutation(Seed{seed}, 1, kSize);
    ++pairs[permutation(2) * kSize + permutation(3)];
  }
  EXPECT_LT(chi_square_deviate(pairs, pair_law), kMaxDeviate);
}

TEST(Permutation, ScattersNeighbours) {
  // In a random permutation, the images of i and i + 1 ascend for half of all i, and their mean
  // distance is n / 3.
  constexpr std::uint64_t kSize = 100'003;
  const Permutation permutation(Seed{11}, 2, kSize);
  double ascents = 0;
  double distance = 0;
  for (std::uint64_t i = 0; i + 1 < kSize; ++i) {
    const auto a = static_cast<double>(permutation(i));
    const auto b = static_cast<double>(permutation(i + 1));
    ascents += a < b;
    distance += std::abs(a - b) / kSize;
  }
  EXPECT_NEAR(ascents / kSize, 1.0 / 2, 0.01);
  EXPECT_NEAR(distance / kSize, 1.0 / 3, 0.01);
}

}  // namespace
}  // namespace tern::test
