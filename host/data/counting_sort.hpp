#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "host/support/parallel.hpp"
#include "tern/types.hpp"

namespace tern {

/// With fewer entries, waking threads costs more than the work.
inline constexpr EdgeOffset kParallelFrom = 1 << 15;

/// Stable counting sort: calls emit(e, place) for every element e, sorted by key(e) in [0, num_keys).
/// Returns num_keys + 1 offsets, where each key's elements begin. Each thread counts and places one
/// contiguous chunk, in order; make_emit(e) makes the emit of a chunk that begins at e. A stable order is
/// unique, so that the result does not depend on the threads.
template <typename Key, typename MakeEmit>
std::vector<EdgeOffset> counting_sort(EdgeOffset size, NodeId num_keys, const Key& key,
                                      const MakeEmit& make_emit) {
  // Each chunk has a histogram; the bound on chunks keeps all of them within two bytes an element.
  constexpr EdgeOffset kElementsAKey = 4;
  const EdgeOffset keys = num_keys;
  const EdgeOffset most = size < kParallelFrom ? 1 : shared_pool().threads();
  const EdgeOffset chunks =
      std::clamp<EdgeOffset>(size / std::max<EdgeOffset>(kElementsAKey * keys, 1), 1, most);
  const auto first = [&](EdgeOffset chunk) {
    return size / chunks * chunk + std::min(chunk, size % chunks);
  };
  std::vector<EdgeOffset> places(static_cast<std::size_t>(chunks * keys), 0);
  std::vector<EdgeOffset> offsets(static_cast<std::size_t>(keys + 1), 0);

  parallel_for(chunks, [&](EdgeOffset chunk) {
    EdgeOffset* count = places.data() + chunk * keys;
    for (EdgeOffset e = first(chunk); e < first(chunk + 1); ++e) ++count[key(e)];
  });
  EdgeOffset place = 0;
  for (EdgeOffset k = 0; k < keys; ++k) {
    offsets[k] = place;
    for (EdgeOffset chunk = 0; chunk < chunks; ++chunk) {
      place += std::exchange(places[chunk * keys + k], place);
    }
  }
  offsets[keys] = place;
  parallel_for(chunks, [&](EdgeOffset chunk) {
    EdgeOffset* next = places.data() + chunk * keys;
    auto emit = make_emit(first(chunk));
    for (EdgeOffset e = first(chunk); e < first(chunk + 1); ++e) emit(e, next[key(e)]++);
  });
  return offsets;
}

}  // namespace tern
