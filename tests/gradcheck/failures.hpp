#pragma once

#include <set>
#include <string>
#include <vector>

#include "tern/gradcheck.hpp"

namespace tern::test {

/// "subject: quantity" of the failed results.
inline std::set<std::string> failures(const std::vector<GradcheckResult>& results) {
  std::set<std::string> found;
  for (const GradcheckResult& r : results) {
    if (!r.passed()) found.insert(r.subject + ": " + r.quantity);
  }
  return found;
}

}  // namespace tern::test
