// Warp meetings: the lanes that arrived, their masks, and each lane's result.
#include <bit>
#include <cstdint>
#include <string>
#include <utility>

#include "block.hpp"

namespace simt::detail {
namespace {

std::uint32_t combine(WarpOperation operation, std::uint32_t a, std::uint32_t b) {
  const auto x = static_cast<std::int32_t>(a);
  const auto y = static_cast<std::int32_t>(b);
  switch (operation) {
    case WarpOperation::add:
      return a + b;
    case WarpOperation::min:
      return a < b ? a : b;
    case WarpOperation::max:
      return a < b ? b : a;
    case WarpOperation::min_signed:
      return x < y ? a : b;
    case WarpOperation::max_signed:
      return x < y ? b : a;
    case WarpOperation::bit_and:
      return a & b;
    case WarpOperation::bit_or:
      return a | b;
    default:
      return a ^ b;
  }
}

template <class Visit>
void for_each_lane(unsigned lanes, Visit visit) {
  for (; lanes; lanes &= lanes - 1) visit(static_cast<unsigned>(std::countr_zero(lanes)));
}

}  // namespace

std::uint64_t Block::meet(WarpOperation operation, unsigned mask, std::uint64_t value,
                          unsigned source, std::source_location where) {
  const unsigned number = current_ / 32;
  const unsigned lane = current_ % 32;
  Warp& warp = warps_[number];
  if (!(mask >> lane & 1)) {
    fail_mask(mask, where);
  }
  unsigned i = 0;
  while (i < warp.meetings && warp.open[i].mask != mask) ++i;
  Meeting& meeting = warp.open[i];
  if (i == warp.meetings) {
    meeting = {mask, 0, operation, where};
    ++warp.meetings;
  } else if (meeting.operation != operation) {
    fail_two_operations(meeting, where);
  }
  meeting.arrived |= 1u << lane;
  warp.value[lane] = value;
  warp.source[lane] = source;
  if ((mask & warp.live) == meeting.arrived) {
    const unsigned arrived = meeting.arrived;
    close_meeting(number, i);
    wake_lanes(number, arrived);
  } else {
    wait(State::at_meeting);
  }
  return warp.result[lane];
}

void Block::close_meeting(unsigned warp, unsigned meeting) {
  exchange(warp, warps_[warp].open[meeting]);
  warps_[warp].open[meeting] = warps_[warp].open[--warps_[warp].meetings];
}

void Block::exchange(unsigned number, const Meeting& meeting) {
  Warp& warp = warps_[number];
  const unsigned lanes = meeting.arrived;
  switch (meeting.operation) {
    case WarpOperation::sync:
      watch_.warp_barrier(number, lanes);
      return;
    case WarpOperation::shuffle:
    case WarpOperation::shuffle_up:
    case WarpOperation::shuffle_down:
    case WarpOperation::shuffle_xor:
      for_each_lane(lanes, [&](unsigned i) {
        if (warp.source[i] > 31 || !(lanes >> warp.source[i] & 1)) {
          fail_source(number * 32 + i, warp.source[i], meeting);
        }
        warp.result[i] = warp.value[warp.source[i]];
      });
      return;
    case WarpOperation::ballot:
    case WarpOperation::match_any:
    case WarpOperation::match_all: {
      const bool ballot = meeting.operation == WarpOperation::ballot;
      for_each_lane(lanes, [&](unsigned i) {
        unsigned equal = 0;
        for_each_lane(lanes, [&](unsigned j) {
          if (warp.value[j] == (ballot ? 1 : warp.value[i])) equal |= 1u << j;
        });
        const bool partial = meeting.operation == WarpOperation::match_all && equal != lanes;
        warp.result[i] = partial ? 0 : equal;
      });
      return;
    }
    default: {
      const auto first = static_cast<unsigned>(std::countr_zero(lanes));
      auto total = static_cast<std::uint32_t>(warp.value[first]);
      for_each_lane(lanes & (lanes - 1), [&](unsigned i) {
        total = combine(meeting.operation, total, static_cast<std::uint32_t>(warp.value[i]));
      });
      for_each_lane(lanes, [&](unsigned i) { warp.result[i] = total; });
    }
  }
}

std::uint64_t meet(WarpOperation operation, unsigned mask, std::uint64_t value, unsigned source,
                   std::source_location where) {
  return Block::current().meet(operation, mask, value, source, where);
}

}  // namespace simt::detail
