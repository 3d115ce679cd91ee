#include "bench/variants/cuda/in_batch_softmax_cublas.cuh"

#include <array>
#include <memory>

#include "bench/variants/cuda/cuda_device.hpp"
#include "bench/variants/cuda/device_tables.hpp"
#include "bench/variants/cuda/rival_batch.hpp"
#include "bench/variants/cuda/rivals.hpp"

// in_batch_softmax as a framework computes it: cuBLAS makes the B×B matrix of cosines, a kernel turns
// its rows into ∂loss/∂cosine, and cuBLAS multiplies it with the unit rows of either side. Gradients of
// equal rows are added by atomics. The matrix is written and read five times: 84 MB at B 2048.

namespace tern::bench {
namespace {

constexpr double kTemperature = 0.12;

class SoftmaxMatrix {
 public:
  SoftmaxMatrix(const Workload& w, CudaDevice& device)
      : device_(device),
        pairs_(cuda::to_device(first_triplets(w), device.memory())),
        tables_{DeviceTable(w, Side::kUser, 1, device.memory()),
                DeviceTable(w, Side::kItem, 2, device.memory())},
        gradients_{DeviceTable(w.nodes(Side::kUser), w.width(), device.memory()),
                   DeviceTable(w.nodes(Side::kItem), w.width(), device.memory())},
        matrix_(pairs_.size() * pairs_.size(), device.memory()),
        loss_(1, device.memory()) {
    task_ = {.pairs = pairs_.data(),
             .matrix = matrix_.data(),
             .loss = loss_.data(),
             .count = pairs_.size(),
             .stride = tables_[0].stride(),
             .temperature = static_cast<float>(kTemperature)};
    for (std::size_t side = 0; side < 2; ++side) {
      const std::int64_t rows = task_.count * task_.stride;
      units_[side] = cuda::DeviceArray<float>(rows, device.memory());
      unit_gradients_[side] = cuda::DeviceArray<float>(rows, device.memory());
      divisors_[side] = cuda::DeviceArray<float>(task_.count, device.memory());
      task_.tables[side] = tables_[side].read_only();
      task_.gradients[side] = gradients_[side].view();
      task_.units[side] = units_[side].data();
      task_.unit_gradients[side] = unit_gradients_[side].data();
      task_.divisors[side] = divisors_[side].data();
    }
  }

  void run() {
    cuda::run_softmax_matrix(
        cuda::Launcher(device_.queue()), task_, [&] { multiply_rows(); },
        [&] {
          multiply_matrix(CUBLAS_OP_N, 1, 0);
          multiply_matrix(CUBLAS_OP_T, 0, 1);
        });
  }

  void poison() {
    for (DeviceTable& gradient : gradients_) gradient.poison();
    loss_.fill_bytes(0xff);
  }

  float loss() const {
    float value = 0.0F;
    loss_.download(std::span(&value, 1));
    return value;
  }
  const DeviceTable& gradient(Side side) const {
    return gradients_[static_cast<std::size_t>(side)];
  }
  std::int64_t num_pairs() const { return task_.count; }

 private:
  /// matrix = Û P̂ᵀ. cuBLAS is column-major.
  void multiply_rows() {
    const float one = 1.0F;
    const float zero = 0.0F;
    cuda::check(cublasSgemm_64(device_.cublas(), CUBLAS_OP_T, CUBLAS_OP_N, task_.count, task_.count,
                               task_.stride, &one, task_.units[1], task_.stride, task_.units[0],
                               task_.stride, &zero, task_.matrix, task_.count));
  }
  /// unit_gradients[to] = the matrix, or its transpose, times units[from].
  void multiply_matrix(cublasOperation_t op, std::size_t from, std::size_t to) {
    const float one = 1.0F;
    const float zero = 0.0F;
    cuda::check(cublasSgemm_64(device_.cublas(), CUBLAS_OP_N, op, task_.stride, task_.count,
                               task_.count, &one, task_.units[from], task_.stride, task_.matrix,
                               task_.count, &zero, task_.unit_gradients[to], task_.stride));
  }

  CudaDevice& device_;
  cuda::DeviceArray<Triplet> pairs_;
  std::array<DeviceTable, 2> tables_;
  std::array<DeviceTable, 2> gradients_;
  cuda::DeviceArray<float> matrix_;
  cuda::DeviceArray<float> loss_;
  std::array<cuda::DeviceArray<float>, 2> units_;
  std::array<cuda::DeviceArray<float>, 2> unit_gradients_;
  std::array<cuda::DeviceArray<float>, 2> divisors_;
  cuda::SoftmaxMatrixTask task_;
};

void expect_right(const Workload& w, const SoftmaxMatrix& rival) {
  expect_right_batch("in_batch_softmax", w, rival, [](Backend& reference, BatchTables& t) {
    reference.in_batch_softmax(t.triplets, {.temperature = kTemperature}, t.users, t.items,
                               t.grad_users, t.grad_items, t.losses);
  });
}

PreparedCase prepare(Workload& w) {
  CudaDevice& device = cuda_device(w);
  auto rival = std::make_shared<SoftmaxMatrix>(w, device);
  PreparedCase ready;
  ready.cost = in_batch_softmax_cost(rival->num_pairs(), w.width());
  ready.timer = &device.rival_timer();
  ready.run = [rival] { rival->run(); };
  ready.reset = [rival] { rival->poison(); };
  ready.verify = [&w, rival] { expect_right(w, *rival); };
  return ready;
}

}  // namespace

void add_in_batch_softmax_cublas(Cases& cases) {
  cases.push_back(
      {"in_batch_softmax", "batch", "cublas_and_softmax", Bound::kProduct, prepare, kReadsBatch});
}

}  // namespace tern::bench
