// Loops like the CPU backend's, correct ones and ones with a planted race. ThreadSanitizer must
// report the races and nothing else; only then does its silence about the backend mean anything.

#include <omp.h>

#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr int kValues = 100'000;

/// Each thread writes its own part; the parts meet behind the barrier, in a fixed order.
double sound_sum(const std::vector<double>& values) {
  std::vector<double> parts(static_cast<std::size_t>(omp_get_max_threads()), 0.0);
  double total = 0.0;
  int criticals = 0;
#pragma omp parallel
  {
    double& part = parts[static_cast<std::size_t>(omp_get_thread_num())];
#pragma omp for schedule(static)
    for (int i = 0; i < kValues; ++i) part += values[static_cast<std::size_t>(i)];
#pragma omp single
    for (const double one : parts) total += one;
#pragma omp critical(tern_races)
    ++criticals;
  }
#pragma omp parallel for schedule(dynamic, 64) reduction(+ : total)
  for (int i = 0; i < kValues; ++i) total += values[static_cast<std::size_t>(i)];
  return total + criticals;
}

/// All threads add to one variable.
double racy_sum(const std::vector<double>& values) {
  double total = 0.0;
#pragma omp parallel for schedule(static)
  for (int i = 0; i < kValues; ++i) total += values[static_cast<std::size_t>(i)];
  return total;
}

/// One thread signals the others by a plain variable, without a barrier.
int racy_flag() {
  int found = -1;
  int seen = 0;
#pragma omp parallel reduction(+ : seen)
  {
#pragma omp single nowait
    found = omp_get_thread_num();
    seen += found;
  }
  return seen;
}

}  // namespace

int main(int argc, char** argv) {
  const char* what = argc == 2 ? argv[1] : "";
  const std::vector<double> values(kValues, 1.0);
  if (std::strcmp(what, "sound") == 0) {
    const double expected = 2.0 * kValues + omp_get_max_threads();
    return omp_get_max_threads() > 1 && sound_sum(values) == expected ? 0 : 1;
  }
  if (std::strcmp(what, "sum") == 0) {
    std::printf("%g\n", racy_sum(values));
    return 0;
  }
  if (std::strcmp(what, "flag") == 0) {
    std::printf("%d\n", racy_flag());
    return 0;
  }
  std::fprintf(stderr, "usage: tern_races sound|sum|flag\n");
  return 2;
}
