#include "cuda/support/error.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "tern/error.hpp"

namespace tern::cuda {
namespace {

std::string place(const std::source_location& where) {
  return std::string(where.file_name()) + ":" + std::to_string(where.line());
}

std::string report_of(cudaError_t status) {
  return std::string("CUDA reports ") + cudaGetErrorName(status) + " (" +
         cudaGetErrorString(status) + ")";
}

/// Whether only running work fails so. The device is then lost to this process: every later call
/// reports the same.
bool is_of_running_work(cudaError_t status) {
  switch (status) {
    case cudaErrorECCUncorrectable:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
      return true;
    default:
      return false;
  }
}

[[noreturn]] void fail_earlier(cudaError_t status, const std::source_location& where) {
  throw DeviceError(report_of(status) + " from earlier work, found at " + place(where) +
                    "; set TERN_CUDA_SYNC=1 to find the kernel that failed");
}

/// The kernel's name as in the source, if the runtime knows it; null: a library's kernels.
std::string name_of(const void* kernel) {
  if (kernel == nullptr) return "a library's kernel";
  const char* name = nullptr;
  if (cudaFuncGetName(&name, kernel) != cudaSuccess) name = nullptr;
  if (name == nullptr || *name == '\0') return "the kernel";
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> readable(
      abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
  return std::string("the kernel ") + (readable == nullptr ? name : readable.get());
}

}  // namespace

void check(cudaError_t status, std::source_location where) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // clears it, or the next check would report it again
  if (is_of_running_work(status)) fail_earlier(status, where);
  throw DeviceError(report_of(status) + " at " + place(where));
}

void check(cublasStatus_t status, std::source_location where) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const cudaError_t cause = cudaGetLastError();
  if (is_of_running_work(cause)) fail_earlier(cause, where);
  throw DeviceError(std::string("cuBLAS reports ") + cublasGetStatusName(status) + " (" +
                    cublasGetStatusString(status) + ") at " + place(where));
}

void check_earlier(cudaError_t status, std::source_location where) {
  if (status != cudaSuccess) fail_earlier(status, where);
}

void check_kernel(cudaError_t status, const void* kernel, std::source_location where) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();
  throw DeviceError(report_of(status) + " from " + name_of(kernel) + ", launched at " +
                    place(where));
}

}  // namespace tern::cuda
