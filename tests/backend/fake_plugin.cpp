// A stand-in for the CUDA library; the environment variable TERN_FAKE_PLUGIN chooses its answers.

#include <cstdlib>
#include <string_view>

#include "host/reference/backend.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/plugin.hpp"

namespace {

std::string_view mode() {
  const char* value = std::getenv("TERN_FAKE_PLUGIN");
  return value != nullptr ? value : "";
}

std::vector<tern::DeviceDescription> list_devices(std::string* problem) {
  if (mode() == "no driver") *problem = "the driver is not installed";
  if (mode() == "no driver" || mode() == "no device") return {};
  return {{"First Device", "f32", ""}, {"Second Device", "f32", ""}};
}

/// A device with enough memory for a training job, but not for the scores of a ranking.
class CrampedBackend final : public tern::reference::ReferenceBackend {
 public:
  void score_topk(const tern::Matrix&, const tern::Matrix&, std::span<const tern::NodeId>,
                  std::span<const tern::Graph* const>, std::int64_t, tern::TopItems&) override {
    throw tern::MemoryError("out of device memory: 1000 bytes are needed, 10 are free");
  }
};

std::unique_ptr<tern::Backend> make_backend(const tern::PluginOptions& options) {
  if (mode() == "cramped") return std::make_unique<CrampedBackend>();
  if (mode() == "busy") throw tern::DeviceError("the device is in use by somebody else");
  // Two kinds of backend, so that a test can see which one was chosen.
  return options.reproducibility == tern::Reproducibility::kNone ? tern::make_cpu_backend(1)
                                                                 : tern::make_reference_backend();
}

}  // namespace

extern "C" const tern::Plugin* tern_plugin() {
  static const tern::Plugin good{tern::kPluginAbi, list_devices, make_backend};
  static const tern::Plugin other{"tern-plugin-0", nullptr, nullptr};
  return mode() == "other version" ? &other : &good;
}
