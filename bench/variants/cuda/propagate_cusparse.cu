#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "bench/ops/expected.hpp"
#include "bench/support/compare.hpp"
#include "bench/variants/cuda/cuda_device.hpp"
#include "bench/variants/cuda/cusparse.hpp"
#include "bench/variants/cuda/device_tables.hpp"
#include "bench/variants/cuda/rivals.hpp"
#include "tern/error.hpp"

// propagate as cuSPARSE's product of a CSR matrix with stored weights and a row-major dense one.
// Source: NVIDIA, "cuSPARSE Library", cusparseSpMM.

namespace tern::bench {
namespace {

struct DestroyDescriptor {
  void operator()(cusparseConstSpMatDescr_t matrix) const noexcept {
    (void)cusparseDestroySpMat(matrix);
  }
  void operator()(cusparseConstDnMatDescr_t matrix) const noexcept {
    (void)cusparseDestroyDnMat(matrix);
  }
};
template <typename Descriptor>
using Owned = std::unique_ptr<std::remove_pointer_t<Descriptor>, DestroyDescriptor>;

/// cuSPARSE's CSR takes 32-bit offsets, and a weight for every edge.
std::vector<std::int32_t> narrow_offsets(const Interactions& rows) {
  if (rows.size() > std::numeric_limits<std::int32_t>::max()) {
    throw DeviceError("graph too large for cuSPARSE's 32-bit offsets: " +
                      std::to_string(rows.size()) + " interactions, expected at most 2147483647");
  }
  return {rows.offsets().begin(), rows.offsets().end()};
}

std::vector<float> weights(const Interactions& rows, const Interactions& columns) {
  const std::vector<float> to = degree_scales(rows);
  const std::vector<float> from = degree_scales(columns);
  std::vector<float> values;
  values.reserve(rows.items().size());
  for (NodeId row = 0; row < rows.num_users(); ++row) {
    for (const NodeId column : rows.row(row)) {
      values.push_back(to[static_cast<std::size_t>(row)] * from[static_cast<std::size_t>(column)]);
    }
  }
  return values;
}

/// The product, described and preprocessed.
class CusparseProduct {
 public:
  CusparseProduct(const Workload& w, Side to, cusparseSpMMAlg_t algorithm,
                  const cuda::Memory& memory)
      : CusparseProduct(w, to == Side::kUser ? w.interactions() : w.transposed(),
                        to == Side::kUser ? w.transposed() : w.interactions(), to, algorithm,
                        memory) {}

  void run() {
    cuda::check(cusparseSpMM(handle_.get(), kPlain, kPlain, &kOne, a_.get(), b_.get(), &kZero,
                             c_.get(), CUDA_R_32F, algorithm_, workspace_.data()));
  }
  const DeviceTable& y() const { return y_; }
  void poison() { y_.poison(); }

 private:
  static constexpr cusparseOperation_t kPlain = CUSPARSE_OPERATION_NON_TRANSPOSE;
  static constexpr float kOne = 1.0F;
  static constexpr float kZero = 0.0F;

  CusparseProduct(const Workload& w, const Interactions& rows, const Interactions& columns, Side to,
                  cusparseSpMMAlg_t algorithm, const cuda::Memory& memory)
      : algorithm_(algorithm),
        handle_(cuda::make_cusparse(memory.stream)),
        offsets_(cuda::to_device(std::span<const std::int32_t>(narrow_offsets(rows)), memory)),
        columns_(cuda::to_device(rows.items(), memory)),
        weights_(cuda::to_device(std::span<const float>(weights(rows, columns)), memory)),
        x_(w, opposite(to), 1, memory),
        y_(w.nodes(to), w.width(), memory) {
    describe(rows);
    std::size_t bytes = 0;
    cuda::check(cusparseSpMM_bufferSize(handle_.get(), kPlain, kPlain, &kOne, a_.get(), b_.get(),
                                        &kZero, c_.get(), CUDA_R_32F, algorithm_, &bytes));
    workspace_ = cuda::DeviceArray<std::uint8_t>(static_cast<std::int64_t>(bytes), memory);
    const cusparseStatus_t prepared =
        cusparseSpMM_preprocess(handle_.get(), kPlain, kPlain, &kOne, a_.get(), b_.get(), &kZero,
                                c_.get(), CUDA_R_32F, algorithm_, workspace_.data());
    // An algorithm without preprocessing answers NOT_SUPPORTED.
    if (prepared != CUSPARSE_STATUS_NOT_SUPPORTED) cuda::check(prepared);
  }

  void describe(const Interactions& rows) {
    cusparseConstSpMatDescr_t a = nullptr;
    cuda::check(cusparseCreateConstCsr(&a, rows.num_users(), rows.num_items(), rows.size(),
                                       offsets_.data(), columns_.data(), weights_.data(),
                                       CUSPARSE_INDEX_32I, CUSPARSE_INDEX_32I,
                                       CUSPARSE_INDEX_BASE_ZERO, CUDA_R_32F));
    a_.reset(a);
    cusparseConstDnMatDescr_t b = nullptr;
    cuda::check(cusparseCreateConstDnMat(&b, x_.rows(), x_.width(), x_.stride(), x_.data(),
                                         CUDA_R_32F, CUSPARSE_ORDER_ROW));
    b_.reset(b);
    cusparseDnMatDescr_t c = nullptr;
    cuda::check(cusparseCreateDnMat(&c, y_.rows(), y_.width(), y_.stride(), y_.data(), CUDA_R_32F,
                                    CUSPARSE_ORDER_ROW));
    c_.reset(c);
  }

  cusparseSpMMAlg_t algorithm_;
  cuda::CusparseHandle handle_;
  cuda::DeviceArray<std::int32_t> offsets_;
  cuda::DeviceArray<NodeId> columns_;
  cuda::DeviceArray<float> weights_;
  DeviceTable x_;
  DeviceTable y_;
  cuda::DeviceArray<std::uint8_t> workspace_;
  Owned<cusparseConstSpMatDescr_t> a_;
  Owned<cusparseConstDnMatDescr_t> b_;
  Owned<cusparseDnMatDescr_t> c_;
};

PreparedCase prepare(Workload& w, Side to, cusparseSpMMAlg_t algorithm) {
  CudaDevice& device = cuda_device(w);
  auto product = std::make_shared<CusparseProduct>(w, to, algorithm, device.memory());
  PreparedCase ready;
  ready.cost = cost_of_propagation(w, to, Addend::kNone, Subset::kAll);
  ready.table = opposite(to);
  ready.timer = &device.rival_timer();
  ready.run = [product] { product->run(); };
  ready.reset = [product] { product->poison(); };
  ready.verify = [&w, to, product] {
    expect_equal("propagate", product->y().download(), expected_propagation(w, to, Subset::kAll),
                 w.width());
  };
  return ready;
}

}  // namespace

void add_propagate_cusparse(Cases& cases) {
  const std::pair<const char*, cusparseSpMMAlg_t> algorithms[] = {
      {"cusparse_alg1", CUSPARSE_SPMM_CSR_ALG1},
      {"cusparse_alg2", CUSPARSE_SPMM_CSR_ALG2},
      {"cusparse_alg3", CUSPARSE_SPMM_CSR_ALG3},
  };
  for (const Side to : {Side::kUser, Side::kItem}) {
    for (const auto& [strategy, algorithm] : algorithms) {
      cases.push_back(
          {"propagate", std::string("to_") + side_name(to), strategy, Bound::kGather,
           [to, algorithm = algorithm](Workload& w) { return prepare(w, to, algorithm); }});
    }
  }
}

}  // namespace tern::bench
