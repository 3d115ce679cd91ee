#include <memory>
#include <vector>

#include "bench/support/compare.hpp"
#include "bench/variants/cuda/cuda_device.hpp"
#include "bench/variants/cuda/device_tables.hpp"
#include "bench/variants/cuda/rivals.hpp"

// The Gram matrix of embedding_statistics by cuBLAS, in f32 (Tern sums in f64). The norms and
// column deviations are left out: they take little time beside it.

namespace tern::bench {
namespace {

PreparedCase prepare(Workload& w) {
  CudaDevice& device = cuda_device(w);
  struct State {
    DeviceTable table;
    cuda::DeviceArray<float> gram;
  };
  auto state = std::make_shared<State>(
      State{DeviceTable(w, Side::kItem, 1, device.memory()),
            cuda::DeviceArray<float>(w.width() * w.width(), device.memory())});
  PreparedCase ready;
  ready.cost = embedding_statistics_cost(state->table.rows(), w.width());
  ready.table = Side::kItem;
  ready.timer = &device.rival_timer();
  ready.run = [state, &device] {
    // Column-major to cuBLAS: the table is (D, N), and the Gram matrix it times its transpose.
    const float one = 1.0F;
    const float zero = 0.0F;
    const DeviceTable& t = state->table;
    cuda::check(cublasSgemm_64(device.cublas(), CUBLAS_OP_N, CUBLAS_OP_T, t.width(), t.width(),
                               t.rows(), &one, t.data(), t.stride(), t.data(), t.stride(), &zero,
                               state->gram.data(), t.width()));
  };
  ready.reset = [state] { state->gram.fill_bytes(0xff); };
  ready.verify = [&w, state] {
    std::vector<float> found(static_cast<std::size_t>(state->gram.size()));
    state->gram.download(found);
    const Matrix same = w.table(w.reference(), Side::kItem, 1);
    expect_equal("embedding_statistics, Gram matrix", found,
                 w.reference().embedding_statistics(same).gram, w.width());
  };
  return ready;
}

}  // namespace

void add_embedding_statistics_cublas(Cases& cases) {
  cases.push_back({"embedding_statistics", "items", "cublas_gram", Bound::kProduct, prepare});
}

}  // namespace tern::bench
