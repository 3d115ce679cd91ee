// Shared by the tests of the executor.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <string>

#include "simt/simt.hpp"

namespace simt {

inline void PrintTo(Fault fault, std::ostream* out) {
  *out << "fault " << static_cast<int>(fault);
}

/// The fault that ends `run`, or none; its message is stored in `text` if that is given.
template <class Run>
std::optional<Fault> fault_of(const Run& run, std::string* text = nullptr) {
  try {
    run();
    return std::nullopt;
  } catch (const Error& error) {
    if (text) *text = error.what();
    return error.fault();
  }
}

/// Fault tests run under several orders, none of which may hide the fault.
inline constexpr unsigned kSeeds = 12;

class SeededTest : public testing::Test {
 protected:
  /// Runs a test's body once an order, until it fails.
  template <class Body>
  void for_each_seed(const Body& body) {
    for (seed_ = 1; seed_ <= kSeeds && !HasFailure(); ++seed_) {
      SCOPED_TRACE("seed " + std::to_string(seed_));
      body();
    }
  }
  Options options() const { return {.seed = seed_}; }

 private:
  unsigned seed_ = 1;
};

}  // namespace simt
