#pragma once

#include <cuda_runtime_api.h>
#include <cusparse.h>

#include <memory>
#include <source_location>
#include <string>
#include <type_traits>

#include "tern/error.hpp"

// The owner and the check of cuSPARSE, as those of cuda/support.

namespace tern::cuda {

/// Throws DeviceError, naming the failure and the place, unless the call succeeded.
inline void check(cusparseStatus_t status,
                  std::source_location where = std::source_location::current()) {
  if (status == CUSPARSE_STATUS_SUCCESS) return;
  throw DeviceError(std::string("cuSPARSE reports ") + cusparseGetErrorName(status) + " (" +
                    cusparseGetErrorString(status) + ") at " + where.file_name() + ":" +
                    std::to_string(where.line()));
}

namespace detail {
struct DestroyCusparse {
  void operator()(cusparseHandle_t handle) const noexcept { (void)cusparseDestroy(handle); }
};
}  // namespace detail

using CusparseHandle =
    std::unique_ptr<std::remove_pointer_t<cusparseHandle_t>, detail::DestroyCusparse>;

inline CusparseHandle make_cusparse(cudaStream_t stream) {
  cusparseHandle_t handle = nullptr;
  check(cusparseCreate(&handle));
  CusparseHandle owner(handle);
  check(cusparseSetStream(handle, stream));
  return owner;
}

}  // namespace tern::cuda
