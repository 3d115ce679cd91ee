// A kernel that spills, because more registers are live than its launch bounds allow, and that is
// hot by its number of lanes. tools/kernel_resources.sh --check must reject it.

namespace tern::cuda {
namespace {

template <int kLanes>
__global__ void __launch_bounds__(768, 2) planted_spills_kernel(const float* from, float* to) {
  float held[96];
#pragma unroll
  for (int i = 0; i < 96; ++i) held[i] = from[i * kLanes + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 96; ++i) to[i * kLanes + threadIdx.x] = held[95 - i] * held[(7 * i) % 96];
}

}  // namespace

void launch_planted_spills(const float* from, float* to) {
  planted_spills_kernel<8><<<1, 8>>>(from, to);
  planted_spills_kernel<4><<<1, 4>>>(from, to);  // a width that is not hot
}

}  // namespace tern::cuda
