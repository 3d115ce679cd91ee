#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/cli/child_process.hpp"
#include "tests/support/temporary_directory.hpp"

namespace tern::test {

/// A directory with a small data set, and the program run in it.
class BenchProgram : public testing::Test {
 protected:
  BenchProgram() {
    std::filesystem::create_directory(directory_ / "data");
    std::ofstream train(directory_ / "data" / "train.txt");
    for (int user = 0; user < 40; ++user) {
      train << user;
      for (int i = 0; i < 3 + user % 5; ++i) train << ' ' << (user * 7 + i * i * 3) % 30;
      train << '\n';
    }
    std::ofstream(directory_ / "data" / "test.txt") << "0 1\n";
  }

  Outcome run(const std::vector<std::string>& arguments) {
    return Child(directory_, arguments).finish();
  }
  /// The error message of a run that must fail; nothing may go to standard output.
  void expect_refused(const std::vector<std::string>& arguments, int exit_code,
                      const std::string& words) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_THAT(outcome.err, ::testing::HasSubstr(words));
    EXPECT_EQ(outcome.out, "");
  }

  const TemporaryDirectory temporary_;
  const std::filesystem::path directory_ = temporary_.path();
};

}  // namespace tern::test
