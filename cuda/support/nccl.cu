#include "cuda/support/nccl.hpp"

#include <filesystem>
#include <string>
#include <system_error>

#include "host/support/library_folders.hpp"
#include "host/support/shared_library.hpp"
#include "tern/error.hpp"

namespace tern::cuda {
namespace {

constexpr char kLibrary[] = "libnccl.so.2";

SharedLibrary find_nccl() {
  SharedLibrary library = load_shared_library({kLibrary, false, false});
  if (library.handle != nullptr) return library;
  for (const std::filesystem::path& folder : cuda_library_folders()) {
    const std::filesystem::path candidate = folder / kLibrary;
    std::error_code ignored;
    if (!std::filesystem::exists(candidate, ignored)) continue;
    library = load_shared_library({candidate.string(), true, false});
    if (library.handle != nullptr) return library;
  }
  return library;
}

}  // namespace

NcclApi nccl_api(const std::function<void*(const char* name)>& find) {
  NcclApi api{};
  const auto set = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(find(name));
    if (function == nullptr) {
      throw DeviceError(std::string(kLibrary) + " has no function " + name +
                        ": NCCL 2.4 or newer is needed");
    }
  };
  set(api.get_unique_id, "ncclGetUniqueId");
  set(api.comm_init_rank, "ncclCommInitRank");
  set(api.comm_destroy, "ncclCommDestroy");
  set(api.comm_abort, "ncclCommAbort");
  set(api.comm_get_async_error, "ncclCommGetAsyncError");
  set(api.all_gather, "ncclAllGather");
  set(api.get_error_string, "ncclGetErrorString");
  return api;
}

NcclApi load_nccl() {
  const SharedLibrary library = find_nccl();
  if (library.handle == nullptr) {
    throw DeviceError("several GPUs need NCCL (" + library.problem +
                      "): install the package libnccl2, or nvidia-nccl-cu" +
                      std::to_string(CUDART_VERSION / 1000) + " of PyPI");
  }
  return nccl_api([&](const char* name) { return library.symbol(name); });
}

}  // namespace tern::cuda
