#include "host/support/address_space.hpp"

#include <cblas.h>
#include <fmt/format.h>
#include <omp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string_view>
#include <vector>

#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern {
namespace {

/// What OpenBLAS maps for every product at a time on x86-64: measured with 0.3.21 as the growth of
/// VmSize by a first product. Hardly any of it is ever touched.
constexpr std::size_t kProductBytes = std::size_t{128} << 20;

/// What else may come and go beside the blocks while they are counted.
constexpr std::int64_t kSlack = std::int64_t{16} << 20;

/// The address space in use; 0 where /proc does not say.
std::int64_t mapped_bytes() {
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * sysconf(_SC_PAGESIZE);
}

bool is_limited() {
  rlimit space{};
  return getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY;
}

/// Address space that is given back at the end.
class Mapping {
 public:
  explicit Mapping(std::size_t bytes)
      : data_(mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
        bytes_(bytes) {}
  ~Mapping() {
    if (granted()) munmap(data_, bytes_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  bool granted() const { return data_ != MAP_FAILED; }

 private:
  void* data_;
  std::size_t bytes_;
};

/// Throws where `count` pieces of address space cannot be had at the same time.
void expect_room(int count, std::size_t bytes, std::string_view purpose) {
  std::vector<std::unique_ptr<Mapping>> pieces;
  pieces.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    pieces.push_back(std::make_unique<Mapping>(bytes));
    if (pieces.back()->granted()) continue;
    pieces.clear();
    constexpr double kMega = 1e6;
    throw MemoryError(fmt::format(
        "out of memory: {} of {} threads need {:.0f} MB of address space, and its limit (ulimit "
        "-v) leaves {:.0f} MB",
        purpose, count, static_cast<double>(bytes) * count / kMega,
        static_cast<double>(host_memory().free) / kMega));
  }
}

/// The stack of a thread of libgomp's, with room for what the C library puts beside it.
std::size_t stack_bytes() {
  constexpr std::size_t kBeside = std::size_t{1} << 20;
  pthread_attr_t attributes;
  std::size_t bytes = 0;
  if (pthread_getattr_default_np(&attributes) != 0) return kBeside;
  pthread_attr_getstacksize(&attributes, &bytes);
  pthread_attr_destroy(&attributes);
  return bytes + kBeside;
}

}  // namespace

void start_threads(int threads) {
  if (!is_limited()) return;
  if (threads == 0) threads = omp_get_max_threads();
  expect_room(threads, stack_bytes(), "the stacks");
#pragma omp parallel num_threads(threads)
  { (void)omp_get_thread_num(); }
}

void reserve_products(int threads) {
  if (!is_limited()) return;
  // Large enough that products of all threads are under way at the same time: blocks are taken by
  // as many as are, and kept.
  constexpr int kSize = 512;
  constexpr std::size_t kElements = std::size_t{kSize} * kSize;
  constexpr int kMaxTries = 64;
  const std::vector<float> factor(kElements, 1.0F);
  std::vector<std::vector<float>> out(static_cast<std::size_t>(threads));
  for (std::vector<float>& of_thread : out) of_thread.resize(kElements);
  expect_room(threads, kProductBytes, "the matrix products");
  const std::int64_t wanted =
      mapped_bytes() + static_cast<std::int64_t>(kProductBytes) * threads - kSlack;
  for (int tries = 0; tries < kMaxTries && mapped_bytes() < wanted; ++tries) {
#pragma omp parallel num_threads(threads)
    {
      float* to = out[static_cast<std::size_t>(omp_get_thread_num())].data();
#pragma omp barrier
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kSize, kSize, kSize, 1.0F,
                  factor.data(), kSize, factor.data(), kSize, 0.0F, to, kSize);
    }
  }
}

}  // namespace tern
