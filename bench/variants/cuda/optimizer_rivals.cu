#include <thrust/execution_policy.h>
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>

#include <memory>

#include "bench/ops/expected.hpp"
#include "bench/support/compare.hpp"
#include "bench/variants/cuda/cuda_device.hpp"
#include "bench/variants/cuda/device_tables.hpp"
#include "bench/variants/cuda/rivals.hpp"

// adam as one loop of Thrust over the elements; sgd without momentum as axpy of cuBLAS.

namespace tern::bench {
namespace {

/// PyTorch's formula for one element, at step 1.
struct AdamElement {
  const float* gradient;
  float* parameter;
  float* first;
  float* second;
  float learning_rate = static_cast<float>(AdamOptions{}.learning_rate);
  float beta1 = static_cast<float>(AdamOptions{}.beta1);
  float beta2 = static_cast<float>(AdamOptions{}.beta2);
  float epsilon = static_cast<float>(AdamOptions{}.epsilon);

  __device__ void operator()(std::int64_t i) const {
    const float g = gradient[i];
    const float m = beta1 * first[i] + (1.0F - beta1) * g;
    const float v = beta2 * second[i] + (1.0F - beta2) * g * g;
    first[i] = m;
    second[i] = v;
    parameter[i] -= learning_rate * (m / (1.0F - beta1)) / (sqrtf(v / (1.0F - beta2)) + epsilon);
  }
};

PreparedCase prepare_adam(Workload& w) {
  CudaDevice& device = cuda_device(w);
  struct State {
    State(const Workload& w, const cuda::Memory& memory)
        : gradient(w, Side::kItem, 1, memory),
          parameter(w, Side::kItem, 2, memory),
          first(parameter.rows(), parameter.width(), memory),
          second(parameter.rows(), parameter.width(), memory) {}
    DeviceTable gradient;
    DeviceTable parameter;
    DeviceTable first;
    DeviceTable second;
  };
  auto state = std::make_shared<State>(w, device.memory());
  PreparedCase ready;
  ready.cost = adam_cost(state->parameter.rows() * w.width());
  ready.table = Side::kItem;
  ready.timer = &device.rival_timer();
  ready.run = [state, stream = device.queue().stream] {
    thrust::for_each_n(thrust::cuda::par_nosync.on(stream),
                       thrust::make_counting_iterator(std::int64_t{0}), state->parameter.size(),
                       AdamElement{state->gradient.data(), state->parameter.data(),
                                   state->first.data(), state->second.data()});
  };
  ready.reset = [&w, state] {
    state->parameter.upload(w.table_values(Side::kItem, 2));
    state->first.zero();
    state->second.zero();
  };
  ready.verify = [&w, state] {
    expect_equal("adam, parameter", state->parameter.download(), expected_adam(w), w.width());
  };
  return ready;
}

PreparedCase prepare_sgd(Workload& w) {
  CudaDevice& device = cuda_device(w);
  struct State {
    DeviceTable gradient;
    DeviceTable parameter;
  };
  auto state = std::make_shared<State>(State{DeviceTable(w, Side::kItem, 1, device.memory()),
                                             DeviceTable(w, Side::kItem, 2, device.memory())});
  PreparedCase ready;
  ready.cost = sgd_cost(state->parameter.rows() * w.width(), false);
  ready.table = Side::kItem;
  ready.timer = &device.rival_timer();
  ready.run = [state, &device] {
    const auto step = static_cast<float>(-SgdOptions{}.learning_rate);
    cuda::check(cublasSaxpy_64(device.cublas(), state->parameter.size(), &step,
                               state->gradient.data(), 1, state->parameter.data(), 1));
  };
  ready.reset = [&w, state] { state->parameter.upload(w.table_values(Side::kItem, 2)); };
  ready.verify = [&w, state] {
    expect_equal("sgd", state->parameter.download(), expected_sgd(w), w.width());
  };
  return ready;
}

}  // namespace

void add_optimizer_rivals(Cases& cases) {
  cases.push_back({"adam", "dense", "thrust_for_each", Bound::kCopy, prepare_adam});
  cases.push_back({"sgd", "dense", "cublas_axpy", Bound::kCopy, prepare_sgd});
}

}  // namespace tern::bench
