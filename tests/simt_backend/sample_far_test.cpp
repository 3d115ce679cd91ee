// Sampling from rows and edges so far out that their addresses need more than 32 bits (far_test.cpp).
#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "cuda/ops/sample.hpp"
#include "simt/buffer.hpp"
#include "tests/simt_backend/device_queue.hpp"
#include "tests/simt_backend/far.hpp"

namespace tern::cuda {
namespace {

using test::DeviceQueue;
using test::Far;

constexpr NodeId kFarUser = (1 << 30) + 5;
constexpr EdgeOffset kFarEdge = (EdgeOffset{1} << 33) + 3;

TEST(Far, SamplingWalksEdgesBeyond32Bits) {
  Far<EdgeOffset> offsets(kFarUser, {kFarEdge, kFarEdge + 3});
  Far<NodeId> columns(kFarEdge, {0, 2, 3});
  simt::Buffer<NodeId> participants{std::span<const NodeId>(std::vector<NodeId>{kFarUser})};
  simt::Buffer<EdgeOffset> participant_offsets{
      std::span<const EdgeOffset>(std::vector<EdgeOffset>{0})};
  for (const PositiveSampling positives :
       {PositiveSampling::kUser, PositiveSampling::kInteraction}) {
    simt::Buffer<Triplet> triplets(30);
    launch_sample(DeviceQueue(), {.csr = {offsets.data(), columns.data(), kFarUser + 1, 5},
                                  .participants = participants.data(),
                                  .num_participants = 1,
                                  .participant_offsets = participant_offsets.data(),
                                  .options = {.positives = positives, .negatives_per_positive = 10},
                                  .permutation = Permutation(Seed{}, 0, 3),
                                  .count = 30,
                                  .triplets = triplets.data()});
    for (const auto& [user, positive, negative] : triplets.span()) {
      EXPECT_EQ(user, kFarUser);
      EXPECT_TRUE(positive == 0 || positive == 2 || positive == 3) << positive;
      EXPECT_TRUE(negative == 1 || negative == 4) << negative;
    }
  }
}

}  // namespace
}  // namespace tern::cuda
