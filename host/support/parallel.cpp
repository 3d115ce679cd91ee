#include "host/support/parallel.hpp"

#include "host/support/processors.hpp"

namespace tern {
namespace {

/// As inside_loop in thread_pool.cpp.
[[gnu::tls_model("initial-exec")]] thread_local ThreadPool* limited_pool = nullptr;

}  // namespace

ThreadPool& shared_pool() {
  if (limited_pool != nullptr) return *limited_pool;
  static ThreadPool pool(default_thread_count().threads);
  return pool;
}

ThreadLimit::ThreadLimit(int threads) : pool_(threads), before_(limited_pool) {
  limited_pool = &pool_;
}

std::unique_ptr<ThreadLimit> limit_threads(int threads) {
  return threads == 0 ? nullptr : std::make_unique<ThreadLimit>(threads);
}

ThreadLimit::~ThreadLimit() {
  limited_pool = before_;
}

}  // namespace tern
