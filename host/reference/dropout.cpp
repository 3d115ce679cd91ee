#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"
#include "tern/random.hpp"

namespace tern::reference {

// values[i] = kept(i) ? values[i] / (1 - p) : 0, or whole rows, unscaled
void ReferenceBackend::dropout(const DropoutOptions& options, const Counter& step, Matrix& values) {
  check_dropout(options, step, values);
  const auto out = view(values, "dropout", "values");
  const auto epoch =
      static_cast<std::uint32_t>(storage_of<CounterStorage>(step, "dropout", "step").value);
  const std::uint32_t threshold = dropout_threshold(options.probability);
  const bool by_row = options.unit == DropoutOptions::Unit::kRow;
  const auto kept = [&](std::int64_t i) {
    const auto index = static_cast<std::uint64_t>(i);
    RandomStream stream(options.seed, Purpose::kDropout, epoch,
                        (std::uint64_t{options.place} << 48) + index / 4);
    std::uint32_t word = 0;
    for (std::uint64_t j = 0; j <= index % 4; ++j) word = stream.next();
    return word >= threshold;
  };
  for (std::int64_t r = 0; r < out.rows; ++r) {
    for (std::int64_t c = 0; c < out.cols; ++c) {
      const bool keeps = kept(by_row ? r : r * out.cols + c);
      out(r, c) = keeps ? out(r, c) / (by_row ? 1 : 1 - options.probability) : 0;
    }
  }
}

}  // namespace tern::reference
