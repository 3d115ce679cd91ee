// A loop as in cuda/ops/propagate_neighbours.cuh, except that its loads stand under conditions, and
// under the name of the kernel that has limits. tools/kernel_resources.sh --check must reject it.

namespace tern::cuda {
namespace {

struct F32Rows {};

template <int kLanes, int kChunks, bool kMarked, typename Rows>
__global__ void __launch_bounds__(256, 4)
    propagate_group_per_row_kernel(const int* starts, const int* ids, const float4* x, float4* y) {
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const unsigned mask = ((1u << kLanes) - 1u) << (threadIdx.x % 32 - lane);
  const int row = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) / kLanes;
  const int size = starts[row + 1] - starts[row];
  float4 sum = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
  for (int base = 0; base < size; base += kLanes) {
    const int count = min(size - base, kLanes);
    const int id = lane < count ? ids[starts[row] + base + lane] : 0;
#pragma unroll 1
    for (int j = 0; j < count; j += 4) {
      float4 value[4];
#pragma unroll
      for (int u = 0; u < 4; ++u) {
        const int from = __shfl_sync(mask, id, j + u, kLanes);
        if (j + u < count) value[u] = __ldg(x + static_cast<long long>(from) * kLanes + lane);
      }
#pragma unroll
      for (int u = 0; u < 4; ++u) {
        if (j + u < count) {
          sum = make_float4(sum.x + value[u].x, sum.y + value[u].y, sum.z + value[u].z,
                            sum.w + value[u].w);
        }
      }
    }
  }
  y[static_cast<long long>(row) * kLanes + lane] = sum;
}

}  // namespace

void launch_planted_turn(const int* starts, const int* ids, const float4* x, float4* y) {
  propagate_group_per_row_kernel<16, 1, false, F32Rows><<<1, 256>>>(starts, ids, x, y);
}

}  // namespace tern::cuda
