#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cli/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern::test {

/// A temporary directory with data sets, in which the program runs.
class Workspace : public testing::Test {
 protected:
  std::filesystem::path path(const std::string& name) const { return directory_ / name; }

  Outcome run(const std::vector<std::string>& arguments, const Streams& streams = {}) const {
    return Child(directory_, arguments, streams).finish();
  }

  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(path(name).parent_path());
    std::ofstream(path(name), std::ios::binary) << text;
  }

  std::string read(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    EXPECT_TRUE(file.good()) << name;
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  /// The newest checkpoint of a run whose name starts with `stem`, "best-" or "epoch-"; "" if none.
  std::string checkpoint(const std::string& run, const std::string& stem) const {
    std::string newest;
    std::error_code ignored;
    for (const auto& entry :
         std::filesystem::directory_iterator(path(run + "/checkpoints"), ignored)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(stem) && name.ends_with(".safetensors")) newest = std::max(newest, name);
    }
    return newest.empty() ? "" : run + "/checkpoints/" + newest;
  }

  bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }

  /// films/interactions.tsv: 24 people and 20 films, half of each "drama" and half "horror". All
  /// people see most films of their kind and none of the other.
  void write_films() const {
    std::string text = "user\titem\n";
    for (int person = 0; person < 24; ++person) {
      for (int film = 0; film < 20; ++film) {
        if (person % 2 != film % 2 || (person * 7 + film * 3) % 5 == 0) continue;
        text += person_name(person) + "\t" + film_name(film) + "\n";
      }
    }
    write("films/interactions.tsv", text);
  }
  static std::string person_name(int n) {
    return (n % 2 == 0 ? "drama fan " : "horror fan ") + std::to_string(n);
  }
  static std::string film_name(int n) {
    return (n % 2 == 0 ? "drama-" : "horror-") + std::to_string(n);
  }

  /// Trains on the films, into `run`; further arguments may follow.
  Outcome train_films(const std::vector<std::string>& more = {}) const {
    write_films();
    std::vector<std::string> arguments{"train",    "films",
                                       "--out",    "run",
                                       "--epochs", "20",
                                       "--set",    "model.width=8",
                                       "--set",    "train.batch_size=64",
                                       "--set",    "evaluation.ks=[2,5]",
                                       "--set",    "train.metric=ndcg@5",
                                       "--set",    "optimizer.learning_rate=0.05"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  static std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> all;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) all.push_back(line);
    return all;
  }
  static std::vector<std::string> cells(const std::string& line) {
    std::vector<std::string> all;
    std::istringstream stream(line);
    for (std::string cell; std::getline(stream, cell, '\t');) all.push_back(cell);
    return all;
  }

  const TemporaryDirectory temporary_;
  const std::filesystem::path directory_ = temporary_.path();
};

/// The form of every error: this exit code, nothing on standard output, and a last line "tern: ..."
/// on standard error.
MATCHER_P2(FailsWith, exit_code, message,
           std::string("exits ") + testing::PrintToString(exit_code)) {
  *result_listener << "exit " << arg.exit_code << ", signal " << arg.signal
                   << ", stderr: " << arg.err << ", stdout: " << arg.out;
  if (arg.exit_code != exit_code || !arg.out.empty() || !arg.err.ends_with('\n')) return false;
  const std::size_t start = arg.err.rfind('\n', arg.err.size() - 2);
  const std::string last = arg.err.substr(start == std::string::npos ? 0 : start + 1);
  return last.starts_with("tern: ") && testing::Matches(testing::HasSubstr(message))(last);
}

/// The same, with nothing else on standard error.
MATCHER_P2(FailsAtOnceWith, exit_code, message,
           std::string("exits ") + testing::PrintToString(exit_code) + " with one line") {
  return testing::ExplainMatchResult(FailsWith(exit_code, message), arg, result_listener) &&
         arg.err.find('\n') == arg.err.size() - 1;
}

}  // namespace tern::test
