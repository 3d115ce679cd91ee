// Loops like the CPU backend's, correct ones and ones with a planted race. ThreadSanitizer must
// report the races and nothing else; only then does its silence about the backend mean anything.

#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "host/support/parallel.hpp"

namespace {

constexpr int kThreads = 4;
constexpr std::int64_t kValues = 100'000;

/// Each slot has its own sum; a second loop reads what the first has written.
double sound_sum(tern::ThreadPool& pool, std::vector<double>& values) {
  std::vector<double> parts(kThreads, 0.0);
  tern::parallel_for(pool, kValues,
                     [&](std::int64_t i) { values[static_cast<std::size_t>(i)] += 1.0; });
  tern::parallel_for_slots(pool, kValues, [&](std::int64_t i, int slot) {
    parts[static_cast<std::size_t>(slot)] += values[static_cast<std::size_t>(kValues - 1 - i)];
  });
  double total = 0.0;
  for (const double part : parts) total += part;
  return total;
}

/// Calls body() in two threads at the same time.
template <typename Body>
void in_two_threads(tern::ThreadPool& pool, const Body& body) {
  std::atomic<int> inside = 0;
  tern::parallel_for(pool, 2, [&](std::int64_t) {
    inside.fetch_add(1, std::memory_order_relaxed);
    while (inside.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
    body();
  });
}

/// Two threads add to one variable.
double racy_sum(tern::ThreadPool& pool, const std::vector<double>& values) {
  double total = 0.0;
  in_two_threads(pool, [&] {
    for (const double value : values) total += value;
  });
  return total;
}

/// One thread signals the others by a plain variable.
int racy_flag(tern::ThreadPool& pool) {
  int found = -1;
  in_two_threads(pool, [&found] {
    if (found < 0) found = 1;
  });
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  const char* what = argc == 2 ? argv[1] : "";
  std::vector<double> values(kValues, 1.0);
  tern::ThreadPool pool(kThreads);
  if (std::strcmp(what, "sound") == 0) {
    return sound_sum(pool, values) == 2.0 * kValues ? 0 : 1;
  }
  if (std::strcmp(what, "sum") == 0) {
    std::printf("%g\n", racy_sum(pool, values));
    return 0;
  }
  if (std::strcmp(what, "flag") == 0) {
    std::printf("%d\n", racy_flag(pool));
    return 0;
  }
  std::fprintf(stderr, "usage: tern_races sound|sum|flag\n");
  return 2;
}
