// Messages about a memory estimate.

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "host/support/message.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern {
namespace {

using PartBytes = std::int64_t MemoryPart::*;

/// "layers 36 MB (model.width), optimizer 24 MB (model.width, optimizer.kind)".
std::string largest_parts(const MemoryEstimate& estimate, PartBytes bytes) {
  std::vector<MemoryPart> parts = estimate.parts;
  std::erase_if(parts, [](const MemoryPart& part) { return part.keys.empty(); });
  std::ranges::stable_sort(parts, std::ranges::greater{}, bytes);
  constexpr std::size_t kNamed = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(kNamed, parts.size()) && parts[i].*bytes > 0; ++i) {
    text += fmt::format("{}{} {} ({})", i == 0 ? "" : ", ", parts[i].name,
                        format_bytes(parts[i].*bytes), parts[i].keys);
  }
  return text;
}

std::string describe(const MemoryEstimate& estimate, std::string_view where, std::int64_t need,
                     std::int64_t free, PartBytes bytes) {
  return fmt::format(
      "training needs about {} on {}, {} free; the largest parts, and the keys that shrink them: "
      "{}",
      format_bytes(need), where, format_bytes(free), largest_parts(estimate, bytes));
}

std::string host_need(const MemoryEstimate& estimate) {
  return describe(estimate, "the host", estimate.host_to_come(), host_memory().free,
                  &MemoryPart::host);
}

std::string device_need(const MemoryEstimate& estimate, const Backend& backend) {
  return describe(estimate, backend.name(), estimate.device(), backend.memory().free,
                  &MemoryPart::device);
}

}  // namespace

MemoryTarget memory_target(const Backend& backend) {
  const std::string name = backend.name();
  if (name == "reference") return {.kind = MemoryTarget::Kind::kReference};
  if (!name.starts_with("cuda")) return {};
  return {.kind = MemoryTarget::Kind::kCuda, .device_bytes = backend.memory().total};
}

std::int64_t MemoryEstimate::host() const {
  std::int64_t sum = 0;
  for (const MemoryPart& part : parts) sum += part.host;
  return sum;
}

std::int64_t MemoryEstimate::device() const {
  std::int64_t sum = 0;
  for (const MemoryPart& part : parts) sum += part.device;
  return sum;
}

std::int64_t MemoryEstimate::host_to_come() const {
  return parts.empty() ? 0 : host() - parts.front().host - parts.back().host;
}

std::string memory_line(const MemoryEstimate& estimate, const Backend& backend) {
  std::string text = fmt::format(
      "Memory: about {} on the host ({} to come, {} free)", format_bytes(estimate.host()),
      format_bytes(estimate.host_to_come()), format_bytes(host_memory().free));
  if (estimate.device() == 0) return text;
  return text + fmt::format(", {} on {} ({} free)", format_bytes(estimate.device()), backend.name(),
                            format_bytes(backend.memory().free));
}

std::string memory_need(const MemoryEstimate& estimate, const Backend& backend) {
  return estimate.device() > 0 ? device_need(estimate, backend) : host_need(estimate);
}

std::string memory_shortage(const MemoryEstimate& estimate, const Backend& backend) {
  if (estimate.device() > 0 && estimate.device() > backend.memory().free) {
    return device_need(estimate, backend);
  }
  return estimate.host_to_come() > host_memory().free ? host_need(estimate) : "";
}

void expect_memory(const MemoryEstimate& estimate, const Backend& backend) {
  const std::string shortage = memory_shortage(estimate, backend);
  if (!shortage.empty()) throw Error("not enough memory: " + shortage);
}

}  // namespace tern
