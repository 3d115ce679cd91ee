#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "host/support/thread_pool.hpp"

namespace tern {

/// The pool for loops outside of a backend, which are too many to hand a pool to: data, initialisation, metrics. It has the process's default number of
/// threads (default_thread_count()), or the number of the innermost ThreadLimit.
ThreadPool& shared_pool();

/// While it lives, shared_pool() has this many threads. Of the whole process: one thread sets limits, and it does so outside of
/// loops.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  ThreadPool pool_;
  ThreadPool* before_;
};

/// A limit of `threads`; none if it is 0.
std::unique_ptr<ThreadLimit> limit_threads(int threads);

/// Calls body(i, slot) for every i in [0, count); see ThreadPool::run.
template <typename Body>
void parallel_for_slots(ThreadPool& pool, std::int64_t count, const Body& body) {
  pool.run(count, TaskRef(body));
}

/// Calls body(i) for every i in [0, count); see ThreadPool::run.
template <typename Body>
void parallel_for(ThreadPool& pool, std::int64_t count, const Body& body) {
  const auto call = [&body](std::int64_t i, int /*slot*/) { body(i); };
  pool.run(count, TaskRef(call));
}

/// Calls body(i, scratch) for every i in [0, count); see ThreadPool::run. scratch: an object that make() returned, one for
/// each slot that takes part, so that calls never share it at the same time.
template <typename Make, typename Body>
void parallel_for_with(ThreadPool& pool, std::int64_t count, const Make& make, const Body& body) {
  std::vector<std::optional<decltype(make())>> scratch(static_cast<std::size_t>(pool.threads()));
  parallel_for_slots(pool, count, [&](std::int64_t i, int slot) {
    auto& own = scratch[static_cast<std::size_t>(slot)];
    if (!own) own.emplace(make());
    body(i, *own);
  });
}

template <typename Body>
void parallel_for(std::int64_t count, const Body& body) {
  parallel_for(shared_pool(), count, body);
}

/// Calls body(begin, end) for consecutive ranges that cover [0, count), each of `block` numbers except
/// the last; see ThreadPool::run.
template <typename Body>
void parallel_for_ranges(ThreadPool& pool, std::int64_t count, std::int64_t block,
                         const Body& body) {
  parallel_for(pool, (count + block - 1) / block,
               [&](std::int64_t b) { body(b * block, std::min((b + 1) * block, count)); });
}

/// Calls body(i) for every i in [0, count), a block of `block` of them at a time; see ThreadPool::run.
template <typename Body>
void parallel_for_blocks(ThreadPool& pool, std::int64_t count, std::int64_t block,
                         const Body& body) {
  parallel_for_ranges(pool, count, block, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) body(i);
  });
}

template <typename Body>
void parallel_for_blocks(std::int64_t count, std::int64_t block, const Body& body) {
  parallel_for_blocks(shared_pool(), count, block, body);
}

}  // namespace tern
