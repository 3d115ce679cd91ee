#include "host/distributed/whole_tables.hpp"

#include <memory>
#include <utility>

namespace tern::distributed {

Matrix& WholeTables::Lease::make(std::int64_t rows, std::int64_t cols) {
  const std::size_t next = made_.size();
  if (from_.blocks_.size() == next) from_.blocks_.emplace_back();
  cpu::FloatBlock& block = from_.blocks_[next];
  const std::int64_t size = rows * cpu::padded(cols);
  if (block.size() < size) {
    block = cpu::FloatBlock();  // first, so that both never exist at one time
    block = cpu::FloatBlock(size);
  }
  auto storage = std::make_unique<cpu::MatrixStorage>(cols, std::move(block));
  return made_.emplace_back(std::move(storage), rows, cols);
}

WholeTables::Lease::~Lease() {
  for (std::size_t i = 0; i < made_.size(); ++i) {
    from_.blocks_[i] = std::move(static_cast<cpu::MatrixStorage*>(made_[i].storage())->values);
  }
}

}  // namespace tern::distributed
