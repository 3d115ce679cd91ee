#include "cuda/support/error.hpp"

#include <string>

#include "tern/error.hpp"

namespace tern::cuda {
namespace {

[[noreturn]] void fail(const char* library, const char* name, const char* description,
                       const std::source_location& where) {
  throw DeviceError(std::string(library) + " reports " + name + " (" + description + ") at " +
                    where.file_name() + ":" + std::to_string(where.line()));
}

}  // namespace

void check(cudaError_t status, std::source_location where) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // clears it, or the next check would report it again
  fail("CUDA", cudaGetErrorName(status), cudaGetErrorString(status), where);
}

void check(cublasStatus_t status, std::source_location where) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail("cuBLAS", cublasGetStatusName(status), cublasGetStatusString(status), where);
}

}  // namespace tern::cuda
