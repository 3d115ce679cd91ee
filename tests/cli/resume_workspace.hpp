#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tern/tensor_file.hpp"
#include "tests/cli/workspace.hpp"

namespace tern::test {

class ResumeRun : public Workspace {
 protected:
  /// A training that takes seconds, with a checkpoint at every epoch.
  std::vector<std::string> command(const std::string& out, const std::string& epochs,
                                   const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"train",    "films",
                                       "--out",    out,
                                       "--epochs", epochs,
                                       "--set",    "model.width=8",
                                       "--set",    "train.batch_size=16",
                                       "--set",    "evaluation.ks=[2,5]",
                                       "--set",    "train.metric=ndcg@5",
                                       "--set",    "train.evaluate_every=2",
                                       "--set",    "checkpoint.every_epochs=1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  /// A child with disturbed file writing: see tests/cli/troubled_files.cpp.
  static Streams troubled(const std::string& kind, const std::string& value) {
    Streams streams;
    // AddressSanitizer must be loaded first, but this library only forwards calls.
    streams.environment = {{"LD_PRELOAD", TERN_TROUBLED_FILES},
                           {"ASAN_OPTIONS", "verify_asan_link_order=0"},
                           {kind, value}};
    return streams;
  }

  TensorFile state(const std::string& run) const {
    TensorFile file = read_safetensors(path(checkpoint(run, "epoch-")));
    for (const char* key : {"seconds", "checksum"}) file.metadata.erase(key);
    return file;
  }
  /// Whether two runs ended with the same bits, in parameters, optimiser and counters.
  void expect_same_end(const std::string& run, const std::string& other) const {
    const TensorFile a = state(run);
    const TensorFile b = state(other);
    EXPECT_EQ(a.metadata, b.metadata);
    ASSERT_EQ(a.tensors.size(), b.tensors.size());
    for (const auto& [name, tensor] : a.tensors) {
      EXPECT_TRUE(tensor.values == b.tensors.at(name).values) << name;
    }
    const TensorFile best = read_safetensors(path(checkpoint(run, "best-")));
    const TensorFile other_best = read_safetensors(path(checkpoint(other, "best-")));
    EXPECT_EQ(best.metadata.at("epoch"), other_best.metadata.at("epoch"));
    for (const auto& [name, tensor] : best.tensors) {
      EXPECT_TRUE(tensor.values == other_best.tensors.at(name).values) << "best " << name;
    }
    EXPECT_EQ(lines(read(run + "/metrics.jsonl")).size(),
              lines(read(other + "/metrics.jsonl")).size());
  }
  /// Trains six epochs at once ("whole") and in two halves ("parts"), and expects the same end. Returns
  /// the messages of the first.
  std::string expect_halves_end_as_the_whole(const std::vector<std::string>& settings) const {
    const Outcome whole = run(command("whole", "6", settings));
    EXPECT_EQ(whole.exit_code, 0) << whole.err;
    const Outcome half = run(command("parts", "3", settings));
    EXPECT_EQ(half.exit_code, 0) << half.err;
    const Outcome more = run({"train", "--resume", "parts", "--epochs", "6"});
    EXPECT_EQ(more.exit_code, 0) << more.err;
    if (!HasFailure()) expect_same_end("parts", "whole");
    return whole.err;
  }
  /// Trains "run", evaluates and exports it, and expects the same lists from its stored embeddings and
  /// from its parameters.
  void expect_run_is_read_alike(const std::vector<std::string>& settings) const {
    ASSERT_EQ(run(command("run", "4", settings)).exit_code, 0);
    EXPECT_EQ(run({"evaluate", "run", "--quiet"}).exit_code, 0);
    const Outcome stored = run({"recommend", "run", "--all", "-k", "3", "--quiet"});
    ASSERT_EQ(stored.exit_code, 0) << stored.err;
    EXPECT_EQ(run({"export", "run", "--to", "exported", "--quiet"}).exit_code, 0);
    // Without the stored embeddings the model computes them anew from its parameters.
    std::filesystem::rename(path("run/embeddings.safetensors"), path("embeddings"));
    EXPECT_EQ(run({"recommend", "run", "--all", "-k", "3", "--quiet"}).out, stored.out);
  }
  std::vector<std::string> temporary_files(const std::string& run) const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path(run))) {
      if (entry.path().extension() == ".tmp") found.push_back(entry.path().string());
    }
    return found;
  }
};

}  // namespace tern::test
