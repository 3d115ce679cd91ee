#include "bench/variants/cuda/device_tables.hpp"

namespace tern::bench {

DeviceCsr::DeviceCsr(const Interactions& rows, const cuda::Memory& memory)
    : offsets(cuda::to_device(rows.offsets(), memory)),
      columns(cuda::to_device(rows.items(), memory)),
      num_rows(rows.num_users()),
      num_columns(rows.num_items()) {
  const std::vector<float> scales = degree_scales(rows);
  scale = cuda::to_device(std::span(scales), memory);
}

}  // namespace tern::bench
