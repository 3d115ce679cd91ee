#include "host/cli/ranks.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "host/backend/device.hpp"
#include "host/cli/commands.hpp"
#include "host/cli/console.hpp"
#include "host/config/keys.hpp"
#include "host/data/fingerprint.hpp"
#include "host/distributed/column_backend.hpp"
#include "host/distributed/environment.hpp"
#include "host/distributed/gpus.hpp"
#include "host/run/checkpoint.hpp"
#include "host/support/processors.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"
#include "tern/model.hpp"

namespace tern::cli {
namespace {

using nlohmann::json;

/// A value of `type`, for the tensor that a follower receives.
Tensor empty_tensor(const std::vector<std::int64_t>& shape, std::size_t type) {
  Tensor tensor{shape, {}};
  std::int64_t size = 1;
  for (const std::int64_t extent : shape) size *= extent;
  if (type == 1) tensor.values = std::vector<double>();
  if (type == 2) tensor.values = std::vector<std::int32_t>();
  if (type == 3) tensor.values = std::vector<std::int64_t>();
  std::visit([&](auto& values) { values.resize(static_cast<std::size_t>(size)); }, tensor.values);
  return tensor;
}

/// Names, shapes and types of the tensors, and the metadata.
std::string header_of(const TensorFile& file) {
  json header{{"metadata", file.metadata}, {"tensors", json::array()}};
  for (const auto& [name, tensor] : file.tensors) {
    header["tensors"].push_back({name, tensor.shape, tensor.values.index()});
  }
  return header.dump();
}

TensorFile file_of(const std::string& text) {
  const json header = json::parse(text);
  TensorFile file;
  file.metadata = header["metadata"].get<std::map<std::string, std::string>>();
  for (const json& one : header["tensors"]) {
    file.tensors.emplace(
        one[0].get<std::string>(),
        empty_tensor(one[1].get<std::vector<std::int64_t>>(), one[2].get<std::size_t>()));
  }
  return file;
}

/// The processors that this process may run on, as text.
std::string own_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails if the machine has more processors than a set holds: its ranks then share all of them.
  sched_getaffinity(0, sizeof set, &set);
  std::string text(sizeof set, '\0');
  std::memcpy(text.data(), &set, sizeof set);
  return text;
}

/// Throws ConfigError if several GPUs do not train this model with this loss.
void expect_carried_on_gpus(const Config& config) {
  const auto refuse = [&](const char* key) {
    throw ConfigError(fmt::format(
        "several GPUs train lightgcn and mf with the loss bpr so far: found {} = {}, which needs "
        "one rank, or --device cpu",
        key, to_toml(find_key(key).get(config))));
  };
  const ModelOptions& model = config.model;
  if (model.kind != ModelKind::kLightGcn && model.kind != ModelKind::kMatrixFactorization) {
    refuse("model.kind");
  }
  if (model.propagation.kind != PropagationKind::kLightGcn) refuse("propagation.kind");
  if (model.contrast.kind != ContrastKind::kNone) refuse("contrast.kind");
  if (config.loss.kind != LossKind::kBpr) refuse("loss.kind");
}

}  // namespace

Ranks::Ranks(double timeout) {
  const auto place = distributed::find_place([](const char* name) { return std::getenv(name); });
  if (!place) return;
  distributed::Patience patience;
  patience.wait = std::chrono::milliseconds(std::llround(1000.0 * timeout));
  communicator_ = std::make_unique<distributed::TcpCommunicator>(
      *place, patience, [this](const distributed::Failure& failure) { end_overdue(failure); });
}

void Ranks::end_overdue(const distributed::Failure& failure) const {
  ::alarm(2);  // ends the process if standard error hangs too, as on the same file system
  if (!failure.reported && !reported_) {
    Console(Console::Mode::kTalk).line("tern: " + failure.reason + way_on());
  }
  std::_Exit(failure.code);
}

bool Ranks::agree(bool leaders) {
  if (!several()) return leaders;
  std::byte answer{leaders};
  communicator_->broadcast({&answer, 1}, 0);
  return answer != std::byte{};
}

unsigned Ranks::any(unsigned bits) {
  if (!several()) return bits;
  const auto own = static_cast<std::byte>(bits);
  std::vector<std::byte> all(static_cast<std::size_t>(communicator_->size()));
  communicator_->all_gather({&own, 1}, std::vector<std::size_t>(all.size(), 1), all);
  for (const std::byte other : all) bits |= std::to_integer<unsigned>(other);
  return bits;
}

std::string Ranks::share(std::string leaders) {
  if (!several()) return leaders;
  std::uint64_t size = leaders.size();
  communicator_->broadcast(std::as_writable_bytes(std::span(&size, 1)), 0);
  leaders.resize(size);
  communicator_->broadcast(std::as_writable_bytes(std::span(leaders)), 0);
  return leaders;
}

void Ranks::share(std::optional<TrainingState>& leaders) {
  if (!several()) return;
  if (!agree(leaders.has_value())) {
    leaders.reset();
    return;
  }
  TensorFile file = leads() ? to_file(*leaders) : TensorFile();
  const std::string header = share(leads() ? header_of(file) : "");
  if (!leads()) file = file_of(header);
  for (auto& [name, tensor] : file.tensors) {
    std::visit(
        [&](auto& values) {
          communicator_->broadcast(std::as_writable_bytes(std::span(values)), 0);
        },
        tensor.values);
  }
  if (!leads()) leaders = to_state(std::move(file), "the state of rank 0");
}

void Ranks::expect_same_data(const Dataset& data, const Config& config) {
  if (!several()) return;
  const std::uint64_t own = job_fingerprint(data, feature_files_for(config.model));
  std::vector<std::uint64_t> all(static_cast<std::size_t>(communicator_->size()));
  const std::vector<std::size_t> sizes(all.size(), sizeof own);
  communicator_->all_gather(std::as_bytes(std::span(&own, 1)), sizes,
                            std::as_writable_bytes(std::span(all)));
  for (int r = 1; r < communicator_->size(); ++r) {
    if (all[static_cast<std::size_t>(r)] == all[0]) continue;
    throw DataError(config.data_path, 0,
                    fmt::format("{} reads other data there than {}", communicator_->place_of(r),
                                communicator_->place_of(0)));
  }
}

void Ranks::wait_for_all() {
  if (several()) communicator_->barrier();
}

void Ranks::share_run(const std::string& leaders) {
  const std::string run = share(leaders);
  const std::lock_guard lock(mutex_);
  run_ = run;
}

std::string Ranks::way_on() const {
  const std::lock_guard lock(mutex_);
  return run_.empty() ? "" : "; continue with: tern train --resume " + run_;
}

void Ranks::fail(std::string_view reason, int code) {
  if (several()) communicator_->fail(reason, code);
}

int Ranks::share_threads(int asked) {
  if (!several() || asked > 0) return asked;
  const std::string own = own_processors();
  const std::vector<std::size_t> sizes(static_cast<std::size_t>(communicator_->size()), own.size());
  std::string all(own.size() * sizes.size(), '\0');
  communicator_->all_gather(std::as_bytes(std::span(own)), sizes,
                            std::as_writable_bytes(std::span(all)));
  const std::string& host = communicator_->host_of(communicator_->rank());
  int sharing = 0;
  for (int r = 0; r < communicator_->size(); ++r) {
    const std::string theirs = all.substr(own.size() * static_cast<std::size_t>(r), own.size());
    sharing += communicator_->host_of(r) == host && theirs == own ? 1 : 0;
  }
  return std::max(1, default_thread_count().threads / sharing);
}

int Ranks::on_this_host() const {
  if (!several()) return 1;
  int found = 0;
  for (int r = 0; r < size(); ++r) {
    found += communicator_->host_of(r) == communicator_->host_of(communicator_->rank()) ? 1 : 0;
  }
  return found;
}

std::vector<std::string> Ranks::gather(const std::string& own) {
  if (!several()) return {own};
  const std::uint64_t size = own.size();
  std::vector<std::uint64_t> sizes(static_cast<std::size_t>(communicator_->size()));
  communicator_->all_gather(std::as_bytes(std::span(&size, 1)),
                            std::vector<std::size_t>(sizes.size(), sizeof size),
                            std::as_writable_bytes(std::span(sizes)));
  const std::vector<std::size_t> bytes(sizes.begin(), sizes.end());
  std::string all(std::accumulate(bytes.begin(), bytes.end(), std::size_t{0}), '\0');
  communicator_->all_gather(std::as_bytes(std::span(own)), bytes,
                            std::as_writable_bytes(std::span(all)));
  std::vector<std::string> texts;
  std::size_t begin = 0;
  for (const std::size_t one : bytes) {
    texts.push_back(all.substr(begin, one));
    begin += one;
  }
  return texts;
}

std::string Ranks::describe() const {
  std::set<std::string> hosts;
  for (int r = 0; r < communicator_->size(); ++r) hosts.insert(communicator_->host_of(r));
  return fmt::format("{} ranks on {} host{}", communicator_->size(), hosts.size(),
                     hosts.size() == 1 ? "" : "s");
}

int Ranks::choose_gpu() {
  json own = json::array();
  const std::vector<DeviceDescription> devices = list_devices();
  for (std::size_t i = 1; i < devices.size(); ++i) {  // the first is the CPU
    own.push_back(devices[i].name + ", " + devices[i].details);
  }
  const std::vector<std::string> all =
      gather(own.dump(-1, ' ', false, json::error_handler_t::replace));
  std::vector<distributed::GpuView> views;
  views.reserve(all.size());
  for (int rank = 0; rank < size(); ++rank) {
    views.push_back({host_of(rank), json::parse(all[static_cast<std::size_t>(rank)])});
  }
  const std::vector<int> places = distributed::share_gpus(views);
  const auto none = std::ranges::find(places, -1);
  if (none == places.end()) return places[static_cast<std::size_t>(communicator_->rank())];
  if (!leads()) wait_for_all();  // throws when the leader has printed the same reason
  const auto rank = none - places.begin();
  const std::size_t seen = views[static_cast<std::size_t>(rank)].gpus.size();
  throw ConfigError(
      fmt::format("{} has no GPU of its own: it sees {}; start as many ranks on a host as it has "
                  "GPUs",
                  communicator_->place_of(static_cast<int>(rank)),
                  seen == 0 ? "none" : fmt::format("{}, which others have taken", seen)));
}

std::unique_ptr<Backend> Ranks::make_backend(const Config& config, int threads) {
  if (config.device != "cuda") {
    return std::make_unique<distributed::ColumnBackend>(*communicator_, threads);
  }
  return std::make_unique<distributed::ColumnBackend>(
      *communicator_, make_cuda_backend({.device = choose_gpu(), .ranks = communicator_.get()}));
}

void expect_carried(const Config& config, int ranks) {
  if (ranks == 1) return;
  const auto refuse = [](std::string_view found) {
    throw ConfigError(
        fmt::format("several ranks train lightgcn, mf and gcmc so far: found {}, which "
                    "needs one rank",
                    found));
  };
  const auto refuse_key = [&](const char* key) {
    refuse(fmt::format("{} = {}", key, to_toml(find_key(key).get(config))));
  };
  const ModelOptions& model = config.model;
  if (config.data_path == "-") refuse("standard input as DATA");
  if (is_fitted(model.kind)) refuse_key("model.kind");
  const bool fits = config.device == "auto" || config.device == "cpu" || config.device == "cuda";
  if (!fits) refuse_key("train.device");
  if (config.device == "cuda") expect_carried_on_gpus(config);
  distributed::expect_enough_columns("model.width", model.width, ranks);
  if (model.kind == ModelKind::kGcMc && !model.hidden.empty()) {
    distributed::expect_enough_columns("the least of model.hidden", std::ranges::min(model.hidden),
                                       ranks);
  }
}

}  // namespace tern::cli
