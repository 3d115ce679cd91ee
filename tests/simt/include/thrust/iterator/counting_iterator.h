// Stands in for Thrust's header of this name: an iterator over the numbers from `value` on.
#pragma once

#include <cstddef>

namespace thrust {

template <class Number>
struct counting_iterator {
  Number value{};
  Number operator[](std::ptrdiff_t i) const { return value + static_cast<Number>(i); }
  counting_iterator operator+(std::ptrdiff_t i) const { return {value + static_cast<Number>(i)}; }
};

template <class Number>
counting_iterator<Number> make_counting_iterator(Number value) {
  return {value};
}

}  // namespace thrust
