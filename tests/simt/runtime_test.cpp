// The emulated runtime: order, waiting, capture, and errors.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "seeded_test.hpp"
#include "simt/runtime/device.hpp"
#include "simt/runtime/graph.hpp"

namespace simt {
namespace {

__global__ void add_kernel(int* values, int addend, int size) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < size) values[i] += addend;
}

/// Threads write their numbers in the order in which they run.
__global__ void note_order_kernel(int* order, int* count) {
  order[atomicAdd(count, 1)] = static_cast<int>(threadIdx.x);
}

__global__ void trap_kernel() {
  __trap();
}

template <class... Parameters>
cudaError_t launch_on(cudaStream_t stream, dim3 grid, dim3 block, void (*kernel)(Parameters...),
                      std::type_identity_t<Parameters>... arguments) {
  const cudaLaunchConfig_t config{
      .gridDim = grid, .blockDim = block, .dynamicSmemBytes = 0, .stream = stream};
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

/// Every test runs twice: on a device that works as soon as work is submitted, and on a late one,
/// which works only when the host waits for it.
class Runtime : public testing::TestWithParam<Timing> {
 protected:
  static constexpr std::size_t kMemory = 1 << 20;

  Runtime() {
    const Device device{.memory_bytes = kMemory, .timing = GetParam()};
    set_devices({device, device});
    (void)cudaGetLastError();
    make(0, &stream_, &pool_);
  }
  ~Runtime() override {
    destroy(stream_, pool_);
    set_devices({});
  }

  static void make(int device, cudaStream_t* stream, cudaMemPool_t* pool) {
    EXPECT_EQ(cudaSetDevice(device), cudaSuccess);
    EXPECT_EQ(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking), cudaSuccess);
    cudaMemPoolProps properties{};
    properties.location.id = device;
    EXPECT_EQ(cudaMemPoolCreate(pool, &properties), cudaSuccess);
    EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  }
  static void destroy(cudaStream_t stream, cudaMemPool_t pool) {
    EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
    EXPECT_EQ(cudaMemPoolDestroy(pool), cudaSuccess);
  }

  int* allocate(std::size_t count) {
    void* data = nullptr;
    EXPECT_EQ(cudaMallocFromPoolAsync(&data, count * sizeof(int), pool_, stream_), cudaSuccess);
    return static_cast<int*>(data);
  }
  void release(void* data) { EXPECT_EQ(cudaFreeAsync(data, stream_), cudaSuccess); }
  void upload(int* to, const std::vector<int>& values) {
    EXPECT_EQ(cudaMemcpyAsync(to, values.data(), values.size() * sizeof(int),
                              cudaMemcpyHostToDevice, stream_),
              cudaSuccess);
    wait();
  }
  std::vector<int> download(const int* from, std::size_t count) {
    std::vector<int> values(count);
    EXPECT_EQ(
        cudaMemcpyAsync(values.data(), from, count * sizeof(int), cudaMemcpyDeviceToHost, stream_),
        cudaSuccess);
    wait();
    return values;
  }
  void wait() { EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess); }
  std::size_t free_bytes() {
    std::size_t free = 0;
    std::size_t total = 0;
    EXPECT_EQ(cudaMemGetInfo(&free, &total), cudaSuccess);
    EXPECT_EQ(total, kMemory);
    return free;
  }
  bool late() const { return GetParam() == Timing::late; }

  cudaStream_t stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
};

TEST_P(Runtime, RunsWorkInTheOrderOfItsStream) {
  int* values = allocate(300);
  upload(values, std::vector<int>(300, 1));
  EXPECT_EQ(cudaMemsetAsync(values, 0, 100 * sizeof(int), stream_), cudaSuccess);
  EXPECT_EQ(launch_on(stream_, 3, 128, add_kernel, values, 5, 299), cudaSuccess);
  std::vector<int> expected(300, 6);
  std::fill_n(expected.begin(), 100, 5);
  expected[299] = 1;
  EXPECT_EQ(download(values, 300), expected);
  release(values);
}

TEST_P(Runtime, RunsLateWorkOnlyWhenSomethingWaits) {
  int* values = allocate(1);
  int source = 1;
  int seen = 0;
  constexpr std::size_t kBytes = sizeof(int);
  EXPECT_EQ(cudaMemcpyAsync(values, &source, kBytes, cudaMemcpyHostToDevice, stream_), cudaSuccess);
  source = 2;  // a late device has not copied the 1 yet, and copies the 2
  EXPECT_EQ(cudaMemcpyAsync(&seen, values, kBytes, cudaMemcpyDeviceToHost, stream_), cudaSuccess);
  EXPECT_EQ(seen, late() ? 0 : 1);
  wait();
  EXPECT_EQ(seen, late() ? 2 : 1);
  release(values);
}

TEST_P(Runtime, EventsHaveTimesAfterTheyHappen) {
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  EXPECT_EQ(cudaEventCreate(&begin), cudaSuccess);
  EXPECT_EQ(cudaEventCreate(&end), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(begin, stream_), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(end, stream_), cudaSuccess);
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, end),
            late() ? cudaErrorNotReady : cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(end), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, end), cudaSuccess);
  EXPECT_GE(milliseconds, 0);
  EXPECT_EQ(cudaEventDestroy(begin), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(end), cudaSuccess);
}

TEST_P(Runtime, CapturedWorkRunsWhenTheGraphDoesWithTheArgumentsOfTheCapture) {
  int* values = allocate(2);
  upload(values, {0, 0});
  int addend = 3;
  EXPECT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  EXPECT_EQ(launch_on(stream_, 1, 2, add_kernel, values, addend, 2), cudaSuccess);
  EXPECT_EQ(launch_on(stream_, 1, 2, add_kernel, values, addend, 1), cudaSuccess);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  addend = 100;
  EXPECT_EQ(download(values, 2), (std::vector<int>{0, 0})) << "captured, not run";
  cudaGraphExec_t executable = nullptr;
  EXPECT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(cudaGraphLaunch(executable, stream_), cudaSuccess);
  EXPECT_EQ(cudaGraphExecDestroy(executable), cudaSuccess) << "a launched graph still runs";
  EXPECT_EQ(download(values, 2), (std::vector<int>{12, 6}));
  release(values);
}

TEST_P(Runtime, ACapturedGraphShowsTheShapesOfItsLaunches) {
  int* values = allocate(1);
  upload(values, {7});
  constexpr unsigned kMaxBlocks = 0x7fffffff;
  EXPECT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  EXPECT_EQ(launch_on(stream_, dim3(3, 2), 64, add_kernel, values, 1, 1), cudaSuccess);
  EXPECT_EQ(cudaMemsetAsync(values, 0, sizeof(int), stream_), cudaSuccess);
  const cudaLaunchConfig_t config{
      .gridDim = kMaxBlocks, .blockDim = 1024, .dynamicSmemBytes = 48, .stream = stream_};
  EXPECT_EQ(cudaLaunchKernelEx(&config, trap_kernel), cudaSuccess);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
  const std::vector<CapturedLaunch> launches = launches_of(graph);
  ASSERT_EQ(launches.size(), 2u) << "a memset is no launch";
  EXPECT_EQ(launches[0].grid.x, 3u);
  EXPECT_EQ(launches[0].grid.y, 2u);
  EXPECT_EQ(launches[0].block.x, 64u);
  EXPECT_EQ(launches[0].shared_bytes, 0u);
  EXPECT_EQ(launches[1].grid.x, kMaxBlocks);
  EXPECT_EQ(launches[1].block.x, 1024u);
  EXPECT_EQ(launches[1].shared_bytes, 48u);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(download(values, 1), std::vector<int>{7}) << "nothing has run";
  release(values);
}

TEST_P(Runtime, NothingThatWaitsOrAllocatesCanBeCaptured) {
  int* values = allocate(1);
  const auto breaks = [&](auto&& call) {
    EXPECT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    EXPECT_EQ(call(), cudaErrorStreamCaptureUnsupported);
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
  };
  breaks([&] { return cudaStreamSynchronize(stream_); });
  breaks([&] { return cudaFreeAsync(values, stream_); });
  breaks([&] {
    void* more = nullptr;
    return cudaMallocFromPoolAsync(&more, 4, pool_, stream_);
  });
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorIllegalState);
  release(values);
}

TEST_P(Runtime, CopiesFollowTheirKind) {
  int* a = allocate(4);
  int* b = allocate(4);
  int host[4] = {};
  const auto copy = [&](void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    return cudaMemcpyAsync(to, from, bytes, kind, stream_);
  };
  EXPECT_EQ(copy(a, host, 16, cudaMemcpyHostToDevice), cudaSuccess);
  EXPECT_EQ(copy(b, a, 16, cudaMemcpyDeviceToDevice), cudaSuccess);
  EXPECT_EQ(copy(host, b, 16, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(copy(host, b, 16, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(copy(a, b, 16, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(copy(a, b, 16, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(copy(a, b, 17, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue) << "a byte too long";
  EXPECT_EQ(copy(a, a + 1, 8, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue) << "they overlap";
  EXPECT_EQ(cudaMemsetAsync(b + 1, 0, 13, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess) << "an error is reported only once";
  wait();
  release(a);
  EXPECT_EQ(copy(a, b, 4, cudaMemcpyDeviceToDevice), cudaErrorInvalidValue) << "freed";
  EXPECT_EQ(cudaFreeAsync(a, stream_), cudaErrorInvalidValue) << "freed twice";
  release(b);
}

TEST_P(Runtime, CountsTheBytesThatItDownloads) {
  int* device = allocate(8);
  const std::size_t before = simt::downloaded_bytes();
  upload(device, std::vector<int>(8, 1));
  EXPECT_EQ(cudaMemcpyAsync(device, device + 4, 16, cudaMemcpyDeviceToDevice, stream_),
            cudaSuccess);
  EXPECT_EQ(simt::downloaded_bytes(), before);
  download(device, 3);
  EXPECT_EQ(simt::downloaded_bytes(), before + 12);
  std::vector<int> back(6);
  EXPECT_EQ(cudaMemcpy2DAsync(back.data(), 12, device, 16, 12, 2, cudaMemcpyDeviceToHost, stream_),
            cudaSuccess);
  wait();
  EXPECT_EQ(simt::downloaded_bytes(), before + 36);
  EXPECT_EQ(cudaMemcpyAsync(device, back.data(), 4, cudaMemcpyDeviceToHost, stream_),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(simt::downloaded_bytes(), before + 36) << "refused";
  release(device);
}

TEST_P(Runtime, PitchedCopiesLeaveWhatLiesBetweenRows) {
  int* device = allocate(8);
  upload(device, std::vector<int>(8, 9));
  const std::vector<int> dense{1, 2, 3, 4, 5, 6};
  EXPECT_EQ(cudaMemcpy2DAsync(device, 16, dense.data(), 12, 12, 2, cudaMemcpyHostToDevice, stream_),
            cudaSuccess);
  wait();
  EXPECT_EQ(download(device, 8), (std::vector<int>{1, 2, 3, 9, 4, 5, 6, 9}));
  std::vector<int> back(6);
  EXPECT_EQ(cudaMemcpy2DAsync(back.data(), 12, device, 16, 12, 2, cudaMemcpyDeviceToHost, stream_),
            cudaSuccess);
  wait();
  EXPECT_EQ(back, dense);
  EXPECT_EQ(cudaMemcpy2DAsync(device, 8, dense.data(), 12, 12, 2, cudaMemcpyHostToDevice, stream_),
            cudaErrorInvalidPitchValue);
  EXPECT_EQ(cudaMemcpy2DAsync(device, 16, dense.data(), 12, 12, 3, cudaMemcpyHostToDevice, stream_),
            cudaErrorInvalidValue)
      << "three rows do not fit";
  release(device);
}

TEST_P(Runtime, MemoryRunsOutAndComesBackInTheOrderOfTheStream) {
  int* most = allocate(kMemory / sizeof(int) - 10);
  EXPECT_EQ(free_bytes(), 40u);
  void* more = nullptr;
  EXPECT_EQ(cudaMallocFromPoolAsync(&more, 41, pool_, stream_), cudaErrorMemoryAllocation);
  release(most);
  EXPECT_EQ(free_bytes(), late() ? 40 : kMemory);
  wait();
  EXPECT_EQ(free_bytes(), kMemory);
}

TEST_P(Runtime, FreshMemoryHoldsNoNumbers) {
  int* values = allocate(3);
  EXPECT_EQ(download(values, 3), (std::vector<int>{-1, -1, -1}));
  release(values);
}

TEST_P(Runtime, KernelsGoToStreamsOfTheCurrentDevice) {
  cudaStream_t other = nullptr;
  cudaMemPool_t other_pool = nullptr;
  make(1, &other, &other_pool);
  int* values = allocate(1);
  EXPECT_EQ(launch_on(other, 1, 1, add_kernel, values, 0, 0), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaSetDevice(1), cudaSuccess);
  EXPECT_EQ(launch_on(other, 1, 1, add_kernel, values, 0, 0), cudaSuccess);
  EXPECT_EQ(launch_on(stream_, 1, 1, add_kernel, values, 0, 0), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  void* data = nullptr;
  EXPECT_EQ(cudaMallocFromPoolAsync(&data, 4, other_pool, stream_), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaStreamDestroy(other), cudaErrorInvalidResourceHandle) << "so are handles destroyed";
  EXPECT_EQ(cudaMemPoolDestroy(other_pool), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaSetDevice(1), cudaSuccess);
  destroy(other, other_pool);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(launch_on(other, 1, 1, add_kernel, values, 0, 0), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaSetDevice(2), cudaErrorInvalidDevice);
  release(values);
}

TEST_P(Runtime, RefusesLaunchesThatNoDeviceTakes) {
  for (const auto& [grid, block] :
       {std::pair<dim3, dim3>{0, 1}, {1, 0}, {1, 1025}, {dim3(1, 65536), 1}, {1, dim3(1, 1, 65)}}) {
    EXPECT_EQ(launch_on(stream_, grid, block, trap_kernel), cudaErrorInvalidConfiguration);
  }
}

TEST_P(Runtime, AFaultEndsItsStream) {
  int* values = allocate(1);
  EXPECT_EQ(fault_of([&] {
              EXPECT_EQ(launch_on(stream_, 1, 1, trap_kernel), cudaSuccess);
              (void)cudaStreamSynchronize(stream_);
            }),
            Fault::trap);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorLaunchFailure);
  EXPECT_EQ(launch_on(stream_, 1, 1, add_kernel, values, 1, 1), cudaErrorLaunchFailure);
  EXPECT_EQ(cudaFreeAsync(values, stream_), cudaErrorLaunchFailure);
  EXPECT_EQ(free_bytes(), kMemory) << "a fault still frees the memory";
}

TEST_P(Runtime, AFaultCanBeKeptAsOnAGpu) {
  set_devices({{.memory_bytes = kMemory, .timing = GetParam(), .on_fault = OnFault::kept}, {}});
  EXPECT_EQ(launch_on(stream_, 1, 1, trap_kernel), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorLaunchFailure);
  EXPECT_EQ(launch_on(stream_, 1, 1, trap_kernel), cudaErrorLaunchFailure);
}

TEST_P(Runtime, KernelsHaveNames) {
  const char* name = nullptr;
  EXPECT_EQ(cudaFuncGetName(&name, reinterpret_cast<const void*>(&trap_kernel)), cudaSuccess);
  EXPECT_NE(std::string(name).find("trap_kernel"), std::string::npos) << name;
}

INSTANTIATE_TEST_SUITE_P(, Runtime, testing::Values(Timing::at_once, Timing::late),
                         [](const auto& info) {
                           return info.param == Timing::late ? "late" : "at_once";
                         });

TEST(RuntimeDevices, AtFirstThereIsNone) {
  set_devices({});
  int count = -1;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  EXPECT_EQ(count, 0);
  int version = -1;
  EXPECT_EQ(cudaDriverGetVersion(&version), cudaSuccess);
  EXPECT_EQ(version, 0);
  cudaStream_t stream = nullptr;
  EXPECT_EQ(cudaStreamCreateWithFlags(&stream, 0), cudaErrorNoDevice);
}

TEST(RuntimeDevices, AreWhatTheyWereSetTo) {
  set_devices({{.name = "First"}, {.name = "Second", .multiprocessors = 7, .cache_bytes = 123}});
  cudaDeviceProp properties{};
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 1), cudaSuccess);
  EXPECT_STREQ(properties.name, "Second");
  EXPECT_EQ(properties.multiProcessorCount, 7);
  EXPECT_EQ(properties.l2CacheSize, 123);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 2), cudaErrorInvalidDevice);
  set_devices({});
}

TEST(RuntimeDevices, OrderOfThreadsIsFixedOrShuffledByLaunch) {
  for (const LaunchOrder order : {LaunchOrder::same, LaunchOrder::other}) {
    set_devices({{.workers = 1, .order = order}});
    cudaStream_t stream = nullptr;
    ASSERT_EQ(cudaStreamCreateWithFlags(&stream, 0), cudaSuccess);
    std::vector<int> orders[2];
    for (std::vector<int>& seen : orders) {
      seen.resize(256);
      int count = 0;  // in host memory, which emulated kernels can access
      ASSERT_EQ(launch_on(stream, 1, 256, note_order_kernel, seen.data(), &count), cudaSuccess);
    }
    EXPECT_EQ(orders[0] == orders[1], order == LaunchOrder::same);
    EXPECT_EQ(cudaStreamDestroy(stream), cudaSuccess);
  }
  set_devices({});
}

}  // namespace
}  // namespace simt
