// The emulated product of cuBLASLt: its results, when it runs, and its errors.
#include <cublasLt.h>
#include <cuda_runtime.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "library_test.hpp"

namespace simt {
namespace {

/// One (rows, cols) column-major matrix, or a batch of them.
struct Layout {
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t ld;
  std::int32_t batches = 1;
  std::int64_t offset = 0;
};

/// A product's descriptions, which a test may corrupt, and its arrays.
struct Product {
  Layout a{3, 6, 4};
  Layout b{6, 2, 7};
  Layout c{3, 2, 5};
  Layout d{3, 2, 5};
  std::int32_t op_a = CUBLAS_OP_N;
  std::int32_t op_b = CUBLAS_OP_N;
  std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  std::uint64_t workspace_bytes = 1 << 20;
  std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
  float alpha = 1;
  float beta = 0;
  const float* at_a = nullptr;
  const float* at_b = nullptr;
  const float* at_c = nullptr;
  const float* bias = nullptr;
  float* at_d = nullptr;
};

class RuntimeMatmul : public LibraryTest {
 protected:
  RuntimeMatmul() {
    EXPECT_EQ(cublasLtCreate(&handle_), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(cublasLtMatmulPreferenceCreate(&preference_), CUBLAS_STATUS_SUCCESS);
    workspace_ = allocate<char>(1 << 20);
  }
  ~RuntimeMatmul() override {
    EXPECT_EQ(cublasLtMatmulPreferenceDestroy(preference_), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(cublasLtDestroy(handle_), CUBLAS_STATUS_SUCCESS);
  }

  /// Creates the descriptor and four layouts, calls f(descriptor, layouts), and destroys them.
  template <class Function>
  cublasStatus_t with_descriptions(const Product& product, Function f) {
    cublasLtMatmulDesc_t description = nullptr;
    EXPECT_EQ(cublasLtMatmulDescCreate(&description, compute_, CUDA_R_32F), CUBLAS_STATUS_SUCCESS);
    set(cublasLtMatmulDescSetAttribute, description, CUBLASLT_MATMUL_DESC_TRANSA, product.op_a);
    set(cublasLtMatmulDescSetAttribute, description, CUBLASLT_MATMUL_DESC_TRANSB, product.op_b);
    set(cublasLtMatmulDescSetAttribute, description, CUBLASLT_MATMUL_DESC_EPILOGUE,
        product.epilogue);
    set(cublasLtMatmulDescSetAttribute, description, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
        product.bias);
    set(cublasLtMatmulPreferenceSetAttribute, preference_, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
        product.workspace_bytes);
    set(cublasLtMatmulPreferenceSetAttribute, preference_,
        CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, product.reductions);
    std::array<cublasLtMatrixLayout_t, 4> layouts{};
    const Layout* shapes[] = {&product.a, &product.b, &product.c, &product.d};
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(cublasLtMatrixLayoutCreate(
                    &layouts[i], CUDA_R_32F, static_cast<std::uint64_t>(shapes[i]->rows),
                    static_cast<std::uint64_t>(shapes[i]->cols), shapes[i]->ld),
                CUBLAS_STATUS_SUCCESS);
      set(cublasLtMatrixLayoutSetAttribute, layouts[i], CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
          shapes[i]->batches);
      set(cublasLtMatrixLayoutSetAttribute, layouts[i], CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
          shapes[i]->offset);
    }
    const auto give_back = [&] {
      for (const auto layout : layouts) (void)cublasLtMatrixLayoutDestroy(layout);
      (void)cublasLtMatmulDescDestroy(description);
    };
    try {
      const cublasStatus_t status = f(description, layouts);
      give_back();
      return status;
    } catch (...) {
      give_back();
      throw;
    }
  }

  cublasStatus_t find(const Product& product, cublasLtMatmulHeuristicResult_t& found, int& count) {
    return with_descriptions(product, [&](auto description, const auto& layouts) {
      return cublasLtMatmulAlgoGetHeuristic(handle_, description, layouts[0], layouts[1],
                                            layouts[2], layouts[3], preference_, 1, &found, &count);
    });
  }
  cublasStatus_t run(const Product& product, const cublasLtMatmulAlgo_t* algorithm) {
    return with_descriptions(product, [&](auto description, const auto& layouts) {
      float alpha = product.alpha;  // out of scope before the work is done
      float beta = product.beta;
      return cublasLtMatmul(handle_, description, &alpha, product.at_a, layouts[0], product.at_b,
                            layouts[1], &beta, product.at_c, layouts[2], product.at_d, layouts[3],
                            algorithm, workspace_, product.workspace_bytes, stream_);
    });
  }
  cublasStatus_t find_and_run(const Product& product) {
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    const cublasStatus_t status = find(product, found, count);
    return status == CUBLAS_STATUS_SUCCESS ? run(product, &found.algo) : status;
  }

  /// A product with arrays of 64 floats that its layouts fit in.
  Product on_device() {
    Product product;
    product.at_a = to_device(numbers(64, 11));
    product.at_b = to_device(numbers(64, 7));
    product.at_c = product.at_d = to_device(std::vector<float>(64, 5));
    product.bias = to_device(numbers(64, 5));
    return product;
  }
  static std::vector<float> numbers(std::size_t count, std::size_t period) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i % period) - 3;
    return values;
  }

  template <class Handle, class Attribute, class T>
  static void set(cublasStatus_t (*setter)(Handle, Attribute, const void*, std::size_t),
                  Handle handle, Attribute attribute, const T& value) {
    EXPECT_EQ(setter(handle, attribute, &value, sizeof(T)), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(setter(handle, attribute, &value, sizeof(T) + 1), CUBLAS_STATUS_INVALID_VALUE);
  }

  cublasLtHandle_t handle_ = nullptr;
  cublasLtMatmulPreference_t preference_ = nullptr;
  cublasComputeType_t compute_ = CUBLAS_COMPUTE_32F;
  char* workspace_ = nullptr;
};

/// Element (i, l) of op(X).
float at(const std::vector<float>& x, const Layout& layout, std::int32_t op, std::int64_t i,
         std::int64_t l) {
  return x[static_cast<std::size_t>(op == CUBLAS_OP_N ? i + l * layout.ld : l + i * layout.ld)];
}

TEST_F(RuntimeMatmul, MultipliesPlainOrTransposedMatricesWithAddendAndBias) {
  for (const std::int32_t op_a : {CUBLAS_OP_N, CUBLAS_OP_T}) {
    for (const std::int32_t op_b : {CUBLAS_OP_N, CUBLAS_OP_T}) {
      for (const int form : {0, 1, 2, 3}) {
        Product product = on_device();
        product.op_a = op_a;
        product.op_b = op_b;
        if (op_a == CUBLAS_OP_T) product.a = {6, 3, 8};
        if (op_b == CUBLAS_OP_T) product.b = {2, 6, 3};
        product.alpha = 0.5f;
        product.beta = form % 2 == 0 ? 0.0f : 2.0f;
        if (form >= 2) product.epilogue = CUBLASLT_EPILOGUE_BIAS;
        const std::vector<float> a = to_host(product.at_a, 64);
        const std::vector<float> b = to_host(product.at_b, 64);
        std::vector<float> expected = to_host(product.at_d, 64);
        ASSERT_EQ(find_and_run(product), CUBLAS_STATUS_SUCCESS);
        for (int j = 0; j < 2; ++j) {
          for (int i = 0; i < 3; ++i) {
            float sum = product.beta * 5;
            for (int l = 0; l < 6; ++l) {
              sum += 0.5f * at(a, product.a, op_a, i, l) * at(b, product.b, op_b, l, j);
            }
            expected[static_cast<std::size_t>(i + j * 5)] =
                sum + (form >= 2 ? static_cast<float>(i) - 3 : 0.0f);
          }
        }
        EXPECT_EQ(to_host(product.at_d, 64), expected) << op_a << op_b << form;
      }
    }
  }
}

TEST_F(RuntimeMatmul, AddsAnotherMatrixThanItWrites) {
  Product product = on_device();
  product.at_c = to_device(std::vector<float>(64, 100));
  product.beta = 1;
  Product plain = on_device();
  ASSERT_EQ(find_and_run(product), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(find_and_run(plain), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(to_host(product.at_d, 1)[0], 100 + to_host(plain.at_d, 1)[0]);
}

TEST_F(RuntimeMatmul, DoesNotReadWhatIsAddedZeroTimes) {
  Product product = on_device();
  product.at_c = product.at_d = allocate<float>(64);  // NaN
  ASSERT_EQ(find_and_run(product), CUBLAS_STATUS_SUCCESS);
  EXPECT_FALSE(std::isnan(to_host(product.at_d, 1)[0]));
  EXPECT_TRUE(std::isnan(to_host(product.at_d, 4)[3])) << "between two columns";
}

TEST_F(RuntimeMatmul, MultipliesBatches) {
  Product batch = on_device();
  batch.a = {3, 2, 3, 3, 12};
  batch.b = {2, 2, 2, 3, 8};
  batch.c = batch.d = {3, 2, 3, 3, 20};
  ASSERT_EQ(find_and_run(batch), CUBLAS_STATUS_SUCCESS);
  const std::vector<float> a = to_host(batch.at_a, 64);
  const std::vector<float> b = to_host(batch.at_b, 64);
  const std::vector<float> d = to_host(batch.at_d, 64);
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t j = 0; j < 2; ++j) {
      for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(d[k * 20 + j * 3 + i],
                  a[k * 12 + i] * b[k * 8 + j * 2] + a[k * 12 + 3 + i] * b[k * 8 + j * 2 + 1]);
      }
    }
  }
  EXPECT_EQ(d[6], 5) << "between two of the batch";
}

TEST_F(RuntimeMatmul, RunsWhenItsStreamComesToIt) {
  Product product = on_device();
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  ASSERT_EQ(find(product, found, count), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(count, 1);
  ASSERT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  ASSERT_EQ(run(product, &found.algo), CUBLAS_STATUS_SUCCESS);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  EXPECT_EQ(to_host(product.at_d, 1)[0], 5) << "captured, not run";
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  ASSERT_EQ(cudaGraphLaunch(executable, stream_), cudaSuccess);
  EXPECT_EQ(*product.at_d, 5) << "late: an emulated device's memory is the host's";
  EXPECT_NE(to_host(product.at_d, 1)[0], 5);
  EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  for (const char byte : to_host(workspace_, found.workspaceSize)) EXPECT_NE(byte, 0);
}

TEST_F(RuntimeMatmul, RefusesShapesThatDoNotFit) {
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  const Product right = on_device();
  ASSERT_EQ(find(right, found, count), CUBLAS_STATUS_SUCCESS);
  const auto refused = [&](auto spoil) {
    Product product = right;
    spoil(product);
    EXPECT_EQ(run(product, &found.algo), CUBLAS_STATUS_INVALID_VALUE);
    return find(product, found, count) == CUBLAS_STATUS_INVALID_VALUE;
  };
  EXPECT_TRUE(refused([](Product& p) { p.a.rows = 2; }));
  EXPECT_TRUE(refused([](Product& p) { p.b.rows = 5; }));
  EXPECT_TRUE(refused([](Product& p) { p.b.cols = 3; }));
  EXPECT_TRUE(refused([](Product& p) { p.c.cols = 3; }));
  EXPECT_TRUE(refused([](Product& p) { p.d.rows = 4; }));
  EXPECT_TRUE(refused([](Product& p) { p.a.ld = 2; }));
  EXPECT_TRUE(refused([](Product& p) { p.d.ld = 2; }));
  EXPECT_TRUE(refused([](Product& p) { p.op_a = CUBLAS_OP_T; }));
  EXPECT_TRUE(refused([](Product& p) { p.a.batches = 2; }));
  EXPECT_TRUE(refused([](Product& p) {
    p.a.batches = p.b.batches = p.c.batches = p.d.batches = 2;
    p.c.offset = p.d.offset = 7;  // the second begins within the first
  }));
  EXPECT_TRUE(refused([](Product& p) { p.b.cols = p.c.cols = p.d.cols = 65535 * 32 + 1; }))
      << "more than has been seen to work";
  EXPECT_TRUE(refused([](Product& p) {
    p.epilogue = CUBLASLT_EPILOGUE_BIAS;
    p.bias = nullptr;
  }));
}

TEST_F(RuntimeMatmul, RefusesAnAlgorithmOfAnotherProblem) {
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  const Product right = on_device();
  ASSERT_EQ(find(right, found, count), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(run(right, &found.algo), CUBLAS_STATUS_SUCCESS);
  const auto refused = [&](auto spoil) {
    Product product = right;
    spoil(product);
    return run(product, &found.algo) == CUBLAS_STATUS_INVALID_VALUE &&
           find_and_run(product) == CUBLAS_STATUS_SUCCESS;
  };
  EXPECT_TRUE(refused([](Product& p) { p.b.cols = p.c.cols = p.d.cols = 1; }));
  EXPECT_TRUE(refused([](Product& p) { p.a.cols = p.b.rows = 5; }));
  EXPECT_TRUE(refused([](Product& p) { p.a.ld = 5; }));
  EXPECT_TRUE(refused([](Product& p) { p.epilogue = CUBLASLT_EPILOGUE_BIAS; }));
}

TEST_F(RuntimeMatmul, RefusesArraysThatAreNotThere) {
  const Product right = on_device();
  const auto refused = [&](auto spoil) {
    Product product = right;
    spoil(product);
    return find_and_run(product) == CUBLAS_STATUS_EXECUTION_FAILED;
  };
  EXPECT_TRUE(refused([&](Product& p) { p.at_a = allocate<float>(20); })) << "shorter than said";
  EXPECT_TRUE(refused([&](Product& p) { p.at_b = allocate<float>(12); }));
  EXPECT_TRUE(refused([&](Product& p) { p.at_c = p.at_d = allocate<float>(7); }));
  EXPECT_TRUE(refused([](Product& p) { ++p.at_a; })) << "aligned less than promised";
  EXPECT_TRUE(refused([](Product& p) { p.at_b = p.at_d; })) << "written while it is read";
  EXPECT_TRUE(refused([](Product& p) { p.c.ld = 6; })) << "in place, with two layouts";
  EXPECT_TRUE(refused([&](Product& p) {
    p.epilogue = CUBLASLT_EPILOGUE_BIAS;
    p.bias = allocate<float>(2);
  }));
}

TEST_F(RuntimeMatmul, RefusesAWorkspaceThatIsTooSmall) {
  Product product = on_device();
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  ASSERT_EQ(find(product, found, count), CUBLAS_STATUS_SUCCESS);
  product.workspace_bytes = found.workspaceSize - 1;
  EXPECT_EQ(run(product, &found.algo), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(find(product, found, count), CUBLAS_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(count, 0);
}

TEST_F(RuntimeMatmul, ThrowsOnWhatItDoesNotEmulate) {
  Product product = on_device();
  product.epilogue = CUBLASLT_EPILOGUE_RELU;
  EXPECT_THROW(find_and_run(product), std::logic_error);
  product = on_device();
  product.reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
  EXPECT_THROW(find_and_run(product), std::logic_error) << "sums in an order of chance";
  product = on_device();
  EXPECT_THROW(run(product, nullptr), std::logic_error) << "an algorithm of its own choice";
  compute_ = CUBLAS_COMPUTE_32F_FAST_TF32;
  EXPECT_THROW(find_and_run(product), std::logic_error);
}

TEST_F(RuntimeMatmul, FindsNoEpilogueWhereTheDeviceHasNone) {
  set_devices({{.timing = Timing::late, .matmul_epilogues = false}});
  Product product = on_device();
  EXPECT_EQ(find_and_run(product), CUBLAS_STATUS_SUCCESS);
  product.epilogue = CUBLASLT_EPILOGUE_BIAS;
  EXPECT_EQ(find_and_run(product), CUBLAS_STATUS_NOT_SUPPORTED);
}

}  // namespace
}  // namespace simt
