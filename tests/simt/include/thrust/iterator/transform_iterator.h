// Stands in for Thrust's header of this name: an iterator over function(*iterator).
#pragma once

#include <cstddef>

namespace thrust {

template <class Function, class Iterator>
struct transform_iterator {
  Iterator iterator;
  Function function;
  auto operator[](std::ptrdiff_t i) const { return function(iterator[i]); }
  transform_iterator operator+(std::ptrdiff_t i) const { return {iterator + i, function}; }
};

template <class Function, class Iterator>
transform_iterator<Function, Iterator> make_transform_iterator(Iterator iterator,
                                                               Function function) {
  return {iterator, function};
}

}  // namespace thrust
