#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace tern::bench {

/// A function that calls make() the first time, and returns that result each time. The reference's
/// answer is so computed once, although a case is verified twice.
template <typename Make>
auto once(Make make) {
  using Value = std::invoke_result_t<Make>;
  return [make = std::move(make), kept = std::make_shared<std::optional<Value>>()]() -> Value& {
    if (!*kept) kept->emplace(make());
    return **kept;
  };
}

}  // namespace tern::bench
