// Device memory of the emulated runtime: every allocation is a guarded buffer, NaN at first.
#include <atomic>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <new>

#include "runtime.hpp"
#include "simt/buffer.hpp"
#include "simt/runtime/api.hpp"

namespace simt::runtime {
namespace {

struct Allocation {
  std::size_t bytes = 0;
  int device = 0;
  bool freed = false;  // requested, but not yet reached by its stream
};

/// Allocations by address.
struct Allocations {
  std::mutex mutex;
  std::map<std::uintptr_t, Allocation> list;
  std::map<int, std::size_t> used;  // bytes by device
};
Allocations& allocations() {
  static Allocations instance;
  return instance;
}

std::uintptr_t address_of(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

void free_now(void* data) {
  Allocations& all = allocations();
  {
    const std::lock_guard lock(all.mutex);
    const auto found = all.list.find(address_of(data));
    all.used[found->second.device] -= found->second.bytes;
    all.list.erase(found);
  }
  detail::release(data);
}

/// Allocates on a device.
cudaError_t take(void** data, std::size_t bytes, int device) {
  Allocations& all = allocations();
  const std::lock_guard lock(all.mutex);
  std::size_t& used = all.used[device];
  if (bytes > device_at(device).memory_bytes - used) return report(cudaErrorMemoryAllocation);
  try {
    *data = simt::detail::allocate(bytes);
  } catch (const std::bad_alloc&) {
    return report(cudaErrorMemoryAllocation);
  }
  used += bytes;
  all.list[address_of(*data)] = {bytes, device};
  return cudaSuccess;
}

std::atomic<std::size_t>& downloads() {
  static std::atomic<std::size_t> bytes{0};
  return bytes;
}

void count_copy(std::size_t bytes, cudaMemcpyKind kind) {
  if (kind == cudaMemcpyDeviceToHost) downloads() += bytes;
}

/// Whether source and target are in the memories that the kind of copy names.
bool copyable(Range to, Range from, cudaMemcpyKind kind) {
  switch (kind) {
    case cudaMemcpyHostToDevice:
      return on_device(to) && !touches_device(from);
    case cudaMemcpyDeviceToHost:
      return !touches_device(to) && on_device(from);
    case cudaMemcpyDeviceToDevice:
      return on_device(to) && on_device(from) && !overlap(to, from);
  }
  return false;
}

}  // namespace

bool overlap(Range a, Range b) {
  const std::uintptr_t a_begin = address_of(a.begin);
  const std::uintptr_t b_begin = address_of(b.begin);
  return a_begin < b_begin + b.bytes && b_begin < a_begin + a.bytes;
}

bool on_device(Range range) {
  Allocations& all = allocations();
  const std::lock_guard lock(all.mutex);
  auto above = all.list.upper_bound(address_of(range.begin));
  if (above == all.list.begin()) return false;
  const auto& [begin, allocation] = *std::prev(above);
  return !allocation.freed && address_of(range.begin) - begin + range.bytes <= allocation.bytes;
}

bool touches_device(Range range) {
  Allocations& all = allocations();
  const std::lock_guard lock(all.mutex);
  auto above = all.list.lower_bound(address_of(range.begin) + range.bytes);
  if (above == all.list.begin()) return false;
  const auto& [begin, allocation] = *std::prev(above);
  return address_of(range.begin) < begin + allocation.bytes;
}

}  // namespace simt::runtime

std::size_t simt::downloaded_bytes() {
  return simt::runtime::downloads();
}

using simt::runtime::report;

cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  if (properties->location.id >= simt::runtime::device_count()) {
    return report(cudaErrorInvalidDevice);
  }
  if (!simt::runtime::device_at(properties->location.id).memory_pools) {
    return report(cudaErrorNotSupported);
  }
  *pool = new CUmemPoolHandle_st{properties->location.id};
  return cudaSuccess;
}
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  const cudaError_t status = simt::runtime::destroyable(pool->device);
  if (status == cudaSuccess) delete pool;
  return status;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) {
  return cudaSuccess;
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, std::size_t) {
  return cudaSuccess;
}

cudaError_t cudaMallocFromPoolAsync(void** data, std::size_t bytes, cudaMemPool_t pool,
                                    cudaStream_t stream) {
  using namespace simt::runtime;
  if (!is_stream(stream) || pool == nullptr || pool->device != stream->device) {
    return report(cudaErrorInvalidResourceHandle);
  }
  if (bytes == 0) return report(cudaErrorInvalidValue);
  if (is_capturing(stream)) {
    stream->capture_broken = true;
    return report(cudaErrorStreamCaptureUnsupported);
  }
  return take(data, bytes, pool->device);
}

cudaError_t cudaMalloc(void** data, std::size_t bytes) {
  using namespace simt::runtime;
  *data = nullptr;
  if (device_count() == 0) return report(cudaErrorNoDevice);
  if (break_captures(current_device())) return report(cudaErrorStreamCaptureUnsupported);
  return bytes == 0 ? cudaSuccess : take(data, bytes, current_device());
}

cudaError_t cudaFree(void* data) {
  using namespace simt::runtime;
  if (data == nullptr) return cudaSuccess;
  int device = 0;
  {
    Allocations& all = allocations();
    const std::lock_guard lock(all.mutex);
    const auto found = all.list.find(address_of(data));
    if (found == all.list.end() || found->second.freed) return report(cudaErrorInvalidValue);
    device = found->second.device;
  }
  if (break_captures(device)) return report(cudaErrorStreamCaptureUnsupported);
  catch_up_all(device);
  free_now(data);
  return cudaSuccess;
}

cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  using namespace simt::runtime;
  if (!is_stream(stream)) return report(cudaErrorInvalidResourceHandle);
  if (is_capturing(stream)) {
    stream->capture_broken = true;
    return report(cudaErrorStreamCaptureUnsupported);
  }
  {
    Allocations& all = allocations();
    const std::lock_guard lock(all.mutex);
    const auto found = all.list.find(address_of(data));
    if (found == all.list.end() || found->second.freed) return report(cudaErrorInvalidValue);
    found->second.freed = true;
  }
  if (stream->failed) {  // its work never finishes
    free_now(data);
    return cudaErrorLaunchFailure;
  }
  return submit(stream, [data] { free_now(data); });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  using namespace simt::runtime;
  if (device_count() == 0) return report(cudaErrorNoDevice);
  *total = device_at(current_device()).memory_bytes;
  Allocations& all = allocations();
  const std::lock_guard lock(all.mutex);
  *free = *total - all.used[current_device()];
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  using namespace simt::runtime;
  if (bytes == 0) return cudaSuccess;
  if (!copyable({to, bytes}, {from, bytes}, kind)) return report(cudaErrorInvalidValue);
  count_copy(bytes, kind);
  return submit(stream, [=] { std::memcpy(to, from, bytes); });
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream) {
  using namespace simt::runtime;
  if (width == 0 || height == 0) return cudaSuccess;
  if (width > to_pitch || width > from_pitch) return report(cudaErrorInvalidPitchValue);
  const Range to_range{to, (height - 1) * to_pitch + width};
  const Range from_range{from, (height - 1) * from_pitch + width};
  if (!copyable(to_range, from_range, kind)) return report(cudaErrorInvalidValue);
  count_copy(width * height, kind);
  return submit(stream, [=] {
    for (std::size_t row = 0; row < height; ++row) {
      std::memcpy(static_cast<std::byte*>(to) + row * to_pitch,
                  static_cast<const std::byte*>(from) + row * from_pitch, width);
    }
  });
}

cudaError_t cudaMemsetAsync(void* data, int value, std::size_t bytes, cudaStream_t stream) {
  using namespace simt::runtime;
  if (bytes == 0) return cudaSuccess;
  if (!on_device({data, bytes})) return report(cudaErrorInvalidValue);
  return submit(stream, [=] { std::memset(data, value, bytes); });
}
