#pragma once

#include <cstdint>
#include <memory>

#include "host/backend/rank_group.hpp"
#include "tern/backend.hpp"

namespace tern::test {

/// The emulated devices that the CUDA backend is tested on. Results must be the same on the first
/// two.
enum class SimtDevice : std::uint8_t {
  kPlain,  // 2 multiprocessors; work is done when it is submitted
  kLate,   // 5; a smaller cache, another order of lanes; work is done when somebody waits
  kSerial  // one CPU thread, every launch in one order: even float atomics repeat; no memory pools
};

struct SimtOptions {
  SimtDevice device = SimtDevice::kPlain;
  /// CudaOptions::reproducibility::kNone: losses with float atomics.
  bool fused = false;
  /// CudaOptions::plan_bytes and result_bytes; 0: their defaults.
  std::int64_t plan_bytes = 0;
  std::int64_t result_bytes = 0;
  /// CudaOptions::mask_bytes; 0: its default.
  std::int64_t mask_bytes = 0;
  /// CudaOptions::ranks, over the emulated NCCL.
  RankGroup* ranks = nullptr;
};

/// The tested forms of the backend. `late`, with windows of some two hundred triplets, a few
/// lists downloaded at a time and no mask of observed pairs, must give the same bits as `plain`; `fused` adds in another order, and
/// `nondeterministic` in another one each time.
inline constexpr SimtOptions kPlainSimt{.device = SimtDevice::kPlain};
inline constexpr SimtOptions kLateSimt{
    .device = SimtDevice::kLate, .plan_bytes = 20'000, .result_bytes = 1'000, .mask_bytes = 1};
inline constexpr SimtOptions kFusedSimt{.device = SimtDevice::kSerial, .fused = true};
inline constexpr SimtOptions kNondeterministicSimt{.device = SimtDevice::kPlain, .fused = true};

/// The CUDA backend, its kernels and its host code, executed by tests/simt.
std::unique_ptr<Backend> make_simt_backend(const SimtOptions& options = {});

}  // namespace tern::test
