#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>

namespace tern::cuda {

// The part of NCCL's C API that Tern calls. It is declared here, and the library is loaded when several ranks
// train, so that neither the build nor the start of the program needs NCCL. Source: nccl.h, whose values
// these are; they have not changed since NCCL 2.0. Each function is named as there, without "nccl".

using NcclComm = struct ncclComm*;

/// ncclResult_t; other values are failures too.
enum class NcclResult : int { kSuccess = 0, kInvalidUsage = 5, kInProgress = 7 };

/// ncclDataType_t: ncclInt8. Bytes are copied as they are.
enum class NcclType : int { kInt8 = 0 };

/// ncclUniqueId.
struct NcclUniqueId {
  char internal[128];
};

struct NcclApi {
  NcclResult (*get_unique_id)(NcclUniqueId* id);
  NcclResult (*comm_init_rank)(NcclComm* comm, int ranks, NcclUniqueId id, int rank);
  NcclResult (*comm_destroy)(NcclComm comm);
  NcclResult (*comm_abort)(NcclComm comm);
  NcclResult (*comm_get_async_error)(NcclComm comm, NcclResult* error);
  NcclResult (*all_gather)(const void* own, void* all, std::size_t count, NcclType type,
                           NcclComm comm, cudaStream_t stream);
  const char* (*get_error_string)(NcclResult result);
};

/// The API, each function found by its name in nccl.h. Throws DeviceError if one is missing.
NcclApi nccl_api(const std::function<void*(const char* name)>& find);

/// That of libnccl.so.2, from the loader's path or from the folders of host/support/library_folders.hpp. Throws
/// DeviceError that names the package if there is none.
NcclApi load_nccl();

}  // namespace tern::cuda
