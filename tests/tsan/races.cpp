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

constexpr int kRounds = 100;

/// Calls body() in two threads at the same time, round by round. ThreadSanitizer may miss a race in
/// a single round: if both access at exactly the same time, or if a busy machine holds one thread
/// back until the other's access is older than the 128 thousand that it remembers.
template <typename Body>
void in_two_threads(tern::ThreadPool& pool, const Body& body) {
  std::atomic<int> arrivals = 0;
  tern::parallel_for(pool, 2, [&](std::int64_t) {
    for (int round = 1; round <= kRounds; ++round) {
      arrivals.fetch_add(1, std::memory_order_relaxed);
      while (arrivals.load(std::memory_order_relaxed) < 2 * round) std::this_thread::yield();
      body();
    }
  });
}

/// Two threads add to one variable.
double racy_sum(tern::ThreadPool& pool) {
  double total = 0.0;
  in_two_threads(pool, [&total] { total += 1.0; });
  return total;
}

/// One thread signals the other by a plain variable.
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
    std::printf("%g\n", racy_sum(pool));
    return 0;
  }
  if (std::strcmp(what, "flag") == 0) {
    std::printf("%d\n", racy_flag(pool));
    return 0;
  }
  std::fprintf(stderr, "usage: tern_races sound|sum|flag\n");
  return 2;
}
