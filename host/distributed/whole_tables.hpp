#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "host/cpu/storage.hpp"
#include "tern/storage.hpp"

namespace tern::distributed {

/// Matrices of the CPU backend for the time of an op, over memory that is kept between ops: as much as the
/// op that needs most.
class WholeTables {
 public:
  /// The matrices of one op; their memory goes back when it ends.
  class Lease {
   public:
    explicit Lease(WholeTables& from) : from_(from) {}
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    /// A matrix of any content, also in its padding. References stay valid.
    Matrix& make(std::int64_t rows, std::int64_t cols);

   private:
    WholeTables& from_;
    std::deque<Matrix> made_;
  };

 private:
  std::vector<cpu::FloatBlock> blocks_;
};

}  // namespace tern::distributed
