#include "host/cli/run_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "host/cli/format.hpp"
#include "host/cli/help.hpp"
#include "tern/device.hpp"
#include "tern/error.hpp"

namespace tern::cli {
namespace {

std::unique_ptr<Backend> open_backend(const RunOptions& options, Console& console) {
  std::string notice;
  std::unique_ptr<Backend> backend = make_backend(options.device, options.threads, &notice);
  if (!notice.empty()) console.line(notice);
  return backend;
}

int epoch_of(const TensorFile& checkpoint) {
  const auto found = checkpoint.metadata.find("epoch");
  int epoch = 0;
  if (found != checkpoint.metadata.end()) {
    const std::string& text = found->second;
    std::from_chars(text.data(), text.data() + text.size(), epoch);
  }
  return epoch;
}

}  // namespace

void RunOptions::add_to(CLI::App& app) {
  app.add_option("RUN", path, "the directory of a run, as tern train made it")->required();
  add_choice(app, "--checkpoint", checkpoint, {"best", "last"}, "the parameters to use");
  app.add_option("--device", device, "auto|cpu|cuda|cuda:N|reference")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--threads", threads, "threads on a CPU; 0: all")
      ->type_name("N")
      ->check(CLI::Range(0, 4096).description(""))
      ->capture_default_str();
  app.add_flag("--quiet", quiet, "no messages but errors");
}

LoadedRun::LoadedRun(const RunOptions& options, Console& console)
    : run_(Run::open(options.path)),
      checkpoint_(options.checkpoint),
      // Asked for before the data is read: an absent device is told at once.
      backend_(open_backend(options, console)) {
  const TensorFile parameters = run_.read_checkpoint(checkpoint_);
  epoch_ = epoch_of(parameters);
  data_ = run_.load_data();
  train_ = backend_->make_graph(data_.train);
  model_ = make_model(*backend_, train_, no_triplets_, run_.config().model);
  load_parameters(*backend_, *model_, parameters);
  model_->embed();
}

std::vector<float> LoadedRun::download(Side side) {
  const Matrix& matrix = embeddings(side);
  std::vector<float> values(static_cast<std::size_t>(matrix.size()));
  backend_->download(matrix, std::span<float>(values));
  return values;
}

void check_k(std::int64_t k, std::int64_t candidates, std::string_view what) {
  if (k < 1) throw ConfigError(fmt::format("-k: found {}, expected at least 1", k));
  if (k > candidates) {
    throw ConfigError(
        fmt::format("-k: found {}, but the run has only {} {}", k, grouped(candidates), what));
  }
}

void ListLength::add_to(CLI::App& app, const std::string& help) {
  given_ = app.add_option("-k", k_, help + ", at most all")->type_name("N")->capture_default_str();
}

std::int64_t ListLength::resolve(std::int64_t candidates, std::string_view what) const {
  if (given_->count() == 0) return std::min(k_, candidates);
  check_k(k_, candidates, what);
  return k_;
}

}  // namespace tern::cli
