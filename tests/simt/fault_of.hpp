// What the tests of the executor share.
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "simt/simt.hpp"

namespace simt {

inline void PrintTo(Fault fault, std::ostream* out) {
  *out << "fault " << static_cast<int>(fault);
}

/// The fault that `run` ends with, none if it ends well; its words go to `text` if that is given.
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

/// Fault tests run under several orders: a fault that is there must not hide behind one of them.
inline constexpr unsigned kSeeds = 12;

}  // namespace simt
