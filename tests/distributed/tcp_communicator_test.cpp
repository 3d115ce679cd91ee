// Sums, gathers and broadcasts of ranks that are threads: results, their bits on every rank, and the
// bytes that they exchange.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "tests/distributed/ranks_in_threads.hpp"

namespace tern::test {
namespace {

using distributed::Communicator;
using distributed::TcpCommunicator;
using distributed::Traffic;
using ::testing::Each;

/// Terms whose sum depends on their order.
double term(int rank, std::size_t i) {
  return std::ldexp(std::sin(1.0 + static_cast<double>(i) + 7.0 * rank), 30 * (rank % 3));
}

/// Fewer than the ranks, and on both sides of the limit above which sums are made in parts.
constexpr std::size_t kCounts[] = {0, 1, 3, 64, 65, 1000};

TEST(TcpCommunicator, AddsInTheOrderOfTheRanks) {
  for (int ranks = 1; ranks <= 5; ++ranks) {
    const auto failures = run_ranks(ranks, [&](Communicator& communicator) {
      for (const std::size_t count : kCounts) {
        std::vector<double> values(count);
        for (std::size_t i = 0; i < count; ++i) values[i] = term(communicator.rank(), i);
        communicator.all_reduce(values);
        for (std::size_t i = 0; i < count; ++i) {
          double sum = term(0, i);
          for (int r = 1; r < ranks; ++r) sum += term(r, i);
          ASSERT_EQ(values[i], sum) << ranks << " ranks, value " << i << " of " << count;
        }
      }
    });
    EXPECT_THAT(failures, Each(""));
  }
}

/// More than the buffers of sockets hold, so that a rank that only sends at first would wait forever.
TEST(TcpCommunicator, GathersUnevenBlocksOfAnySize) {
  constexpr std::size_t kMany = std::size_t{1} << 23;
  for (const std::size_t unit : {std::size_t{3}, kMany}) {
    const std::vector<std::size_t> sizes{unit, 0, 2 * unit + 1};
    const auto failures = run_ranks(3, [&](Communicator& communicator) {
      const auto rank = static_cast<std::size_t>(communicator.rank());
      const std::vector<std::byte> own(sizes[rank], static_cast<std::byte>(rank + 1));
      std::vector<std::byte> all(3 * unit + 1);
      communicator.all_gather(own, sizes, all);
      for (std::size_t i = 0; i < all.size(); ++i) {
        ASSERT_EQ(all[i], static_cast<std::byte>(i < unit ? 1 : 3)) << i;
      }
    });
    EXPECT_THAT(failures, Each(""));
  }
}

/// Blocks of uneven sizes, one of them empty. Terms of ranks 0 and 2 cancel, and those between are lost
/// beside them: in any other order, the last rank's sum is another.
TEST(TcpCommunicator, ReducesBlocksInTheOrderOfTheRanks) {
  const auto value = [](int rank, std::size_t i) {
    const float small = std::sin(1.0F + static_cast<float>(i));
    const float factors[] = {0x1p60F, 1.0F, -0x1p60F};
    return factors[rank % 3] * small;
  };
  for (const std::size_t unit : {std::size_t{1}, std::size_t{100'000}}) {
    for (int ranks = 1; ranks <= 4; ++ranks) {
      const auto failures = run_ranks(ranks, [&](Communicator& communicator) {
        std::vector<std::size_t> counts;
        for (int r = 0; r < ranks; ++r) counts.push_back(r == 1 ? 0 : unit * (r + 1));
        const auto rank = static_cast<std::size_t>(communicator.rank());
        std::vector<float> values(std::accumulate(counts.begin(), counts.end(), std::size_t{0}));
        for (std::size_t i = 0; i < values.size(); ++i) {
          values[i] = value(communicator.rank(), i);
        }
        std::vector<float> own(counts[rank]);
        const Traffic before = communicator.traffic();
        communicator.reduce_scatter(values, counts, own);
        const Traffic after = communicator.traffic();
        EXPECT_EQ(after.sent - before.sent, 4 * (std::ssize(values) - std::ssize(own)));
        EXPECT_EQ(after.received - before.received, 4 * std::ssize(own) * (ranks - 1));
        const auto begin =
            std::accumulate(counts.begin(), counts.begin() + communicator.rank(), std::size_t{0});
        for (std::size_t i = 0; i < own.size(); ++i) {
          double sum = value(0, begin + i);
          for (int r = 1; r < ranks; ++r) sum += value(r, begin + i);
          ASSERT_EQ(own[i], static_cast<float>(sum)) << ranks << " ranks, value " << i;
        }
      });
      EXPECT_THAT(failures, Each(""));
    }
  }
}

TEST(TcpCommunicator, BroadcastsFromAnyRank) {
  const auto failures = run_ranks(3, [&](Communicator& communicator) {
    for (int from = 0; from < 3; ++from) {
      std::vector<std::byte> bytes(100, static_cast<std::byte>(communicator.rank()));
      communicator.broadcast(bytes, from);
      ASSERT_THAT(bytes, Each(static_cast<std::byte>(from)));
    }
    communicator.barrier();
  });
  EXPECT_THAT(failures, Each(""));
}

TEST(TcpCommunicator, CountsTheBytesOfTheFormula) {
  constexpr int kRanks = 4;
  const auto failures = run_ranks(kRanks, [&](Communicator& communicator) {
    const auto bytes_of = [&](std::size_t count) {
      const Traffic before = communicator.traffic();
      std::vector<double> values(count);
      communicator.all_reduce(values);
      const Traffic after = communicator.traffic();
      EXPECT_EQ(after.sent - before.sent, after.received - before.received);
      return after.sent - before.sent;
    };
    const std::size_t few = TcpCommunicator::kFewValues;
    EXPECT_EQ(bytes_of(few), static_cast<std::int64_t>(8 * few * (kRanks - 1)));
    // In parts: each rank sends all parts but its own, and then its own to all others.
    EXPECT_EQ(bytes_of(2048), 2 * 8 * 2048 * (kRanks - 1) / kRanks);
  });
  EXPECT_THAT(failures, Each(""));
}

TEST(TcpCommunicator, OneRankExchangesNothing) {
  const auto failures = run_ranks(1, [&](Communicator& communicator) {
    double value = 3.0;
    communicator.all_reduce({&value, 1});
    communicator.barrier();
    EXPECT_EQ(value, 3.0);
    EXPECT_EQ(communicator.traffic().sent, 0);
  });
  EXPECT_THAT(failures, Each(""));
}

}  // namespace
}  // namespace tern::test
