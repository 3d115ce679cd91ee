#include "host/support/parallel.hpp"

#include <atomic>

#include "host/support/processors.hpp"

namespace tern {
namespace {

std::atomic<ThreadPool*> limited_pool = nullptr;

}  // namespace

ThreadPool& shared_pool() {
  if (ThreadPool* limited = limited_pool) return *limited;
  static ThreadPool pool(default_thread_count().threads);
  return pool;
}

ThreadLimit::ThreadLimit(int threads) : pool_(threads), before_(limited_pool.exchange(&pool_)) {}

std::unique_ptr<ThreadLimit> limit_threads(int threads) {
  return threads == 0 ? nullptr : std::make_unique<ThreadLimit>(threads);
}

ThreadLimit::~ThreadLimit() {
  limited_pool = before_;
}

}  // namespace tern
