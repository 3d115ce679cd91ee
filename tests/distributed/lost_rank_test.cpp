// Ranks that fail, are killed, stop, or never come: all others end, and name the rank and the reason.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <future>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tern/error.hpp"
#include "tern/version.hpp"
#include "tests/distributed/ranks_in_threads.hpp"

namespace tern::test {
namespace {

using distributed::Communicator;
using distributed::Patience;
using distributed::TcpCommunicator;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::StartsWith;

void add_forever(Communicator& communicator) {
  std::array<double, 100> values{};
  for (;;) communicator.all_reduce(values);
}

TEST(LostRank, AllEndWithTheReasonOfTheOneThatFails) {
  const auto failures = run_ranks(4, [](Communicator& communicator) {
    if (communicator.rank() == 2) throw std::runtime_error("its disk is full");
    add_forever(communicator);
  });
  EXPECT_EQ(failures[2], "its disk is full");
  for (const int rank : {0, 1, 3}) {
    EXPECT_THAT(failures[static_cast<std::size_t>(rank)],
                AllOf(StartsWith("rank 2 on host "), HasSubstr(": its disk is full")));
  }
}

TEST(LostRank, OnlyRankZeroHasToReportTheOneThatFails) {
  std::array<bool, 3> reported{};
  run_ranks(3, [&](Communicator& communicator) {
    if (communicator.rank() == 1) throw std::runtime_error("out of memory");
    try {
      add_forever(communicator);
    } catch (const distributed::ReportedLoss&) {
      reported[static_cast<std::size_t>(communicator.rank())] = true;
      throw;
    }
  });
  EXPECT_FALSE(reported[0]);
  EXPECT_TRUE(reported[2]);
}

/// A rank that leaves early is found by the next call of the others.
/// As a device that waits for the others is woken.
TEST(LostRank, CallsWhatEndsAWaitOfTheRanksOwn) {
  const auto failures = run_ranks(3, [](Communicator& communicator) {
    if (communicator.rank() == 1) {
      communicator.barrier();
      throw std::runtime_error("a planted failure");
    }
    communicator.on_loss([] { FAIL() << "it was replaced"; });
    std::promise<void> lost;
    communicator.on_loss([&] { lost.set_value(); });  // a second call would throw
    communicator.expect_all();
    communicator.barrier();
    lost.get_future().wait();
    bool called = false;
    communicator.on_loss([&] { called = true; });
    EXPECT_TRUE(called) << "the loss is known already";
    communicator.on_loss(nullptr);
    communicator.expect_all();
  });
  EXPECT_EQ(failures[1], "a planted failure");
  for (const int other : {0, 2}) {
    EXPECT_THAT(failures[static_cast<std::size_t>(other)],
                AllOf(StartsWith("rank 1 on host "), HasSubstr("a planted failure")));
  }
}

TEST(LostRank, AllEndIfOneLeaves) {
  const auto failures = run_ranks(3, [](Communicator& communicator) {
    if (communicator.rank() != 1) add_forever(communicator);
  });
  EXPECT_EQ(failures[1], "");
  for (const std::size_t rank : {0, 2}) EXPECT_THAT(failures[rank], HasSubstr("rank "));
}

/// It sends beats, but does not come to the next call.
TEST(LostRank, AllNameTheOneThatHangsInItsOwnWork) {
  const Patience patience{.wait = std::chrono::milliseconds(300)};
  for (const int lost : {2, 0}) {
    std::latch ended(3);
    const auto failures = run_ranks(
        4,
        [&](Communicator& communicator) {
          communicator.barrier();
          if (communicator.rank() == lost) return ended.wait();
          try {
            add_forever(communicator);
          } catch (const distributed::LostRank&) {
            ended.count_down();
            throw;
          }
        },
        patience);
    for (int rank = 0; rank < 4; ++rank) {
      if (rank == lost) continue;
      EXPECT_THAT(failures[static_cast<std::size_t>(rank)],
                  AllOf(StartsWith(fmt::format("rank {} on host ", lost)),
                        HasSubstr(" hangs: rank "), HasSubstr(" s for it")));
    }
  }
}

/// Rank 2 waits for rank 3, which hangs; the others, for rank 2.
TEST(LostRank, OneThatWaitsItselfIsNotTheOneThatHangs) {
  const Patience patience{.wait = std::chrono::seconds(3)};
  std::latch ended(3);
  const auto failures = run_ranks(
      4,
      [&](Communicator& communicator) {
        if (communicator.rank() == 3) return ended.wait();
        try {
          std::vector<std::byte> more_than_buffers_hold(std::size_t{32} << 20);
          communicator.broadcast(more_than_buffers_hold, 2);
          add_forever(communicator);
        } catch (const distributed::LostRank&) {
          ended.count_down();
          throw;
        }
      },
      patience);
  for (const std::size_t rank : {0, 1, 2}) {
    EXPECT_THAT(failures[rank],
                AllOf(StartsWith("rank 3 on host "), HasSubstr(" hangs: rank 2 on host")));
  }
}

TEST(LostRank, AllEndWithTheExitCodeOfTheOneThatFails) {
  for (const int lost : {0, 2}) {
    std::array<int, 3> codes{};
    run_ranks(3, [&](Communicator& communicator) {
      if (communicator.rank() == lost) return communicator.fail("its data is wrong", 65);
      try {
        add_forever(communicator);
      } catch (const distributed::LostRank& loss) {
        codes[static_cast<std::size_t>(communicator.rank())] = loss.code();
      }
    });
    codes[static_cast<std::size_t>(lost)] = 65;
    EXPECT_THAT(codes, Each(65));
  }
}

/// Ranks as processes. Each writes the message of its exception to a pipe.
class Processes {
 public:
  /// hanging: a rank that hangs after its first sum.
  explicit Processes(int ranks, int hanging = -1) : port_(free_port()) {
    for (int rank = 0; rank < ranks; ++rank) {
      std::array<int, 2> ends{};
      if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe failed");
      const pid_t process = ::fork();
      if (process == 0) become(rank, ranks, hanging, ends[1]);
      ::close(ends[1]);
      processes_.push_back(process);
      messages_.push_back(ends[0]);
    }
  }
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;
  ~Processes() {
    for (const pid_t process : processes_) {
      ::kill(process, SIGKILL);
      ::waitpid(process, nullptr, 0);
    }
    for (const int message : messages_) ::close(message);
  }

  void kill(int rank, int signal) { ::kill(processes_[static_cast<std::size_t>(rank)], signal); }

  /// Waits until a rank has made its first sum.
  void wait_for_start(int rank) { EXPECT_EQ(read(rank, 1), "+"); }

  /// Waits for the end of a rank.
  std::string message(int rank) { return read(rank, 1000); }

 private:
  [[noreturn]] void become(int rank, int ranks, int hanging, int message) const {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const auto end = [&](const std::string& text) {
      ::_exit(::write(message, text.data(), text.size()) > 0 ? 1 : 2);
    };
    try {
      Patience patience;
      if (hanging >= 0) patience.wait = std::chrono::seconds(2);
      patience.end = std::chrono::milliseconds(200);
      TcpCommunicator communicator(
          place_of(rank, ranks, port_), patience,
          [&](const distributed::Failure& failure) { end("forced: " + failure.reason); });
      std::array<double, 100> values{};
      communicator.all_reduce(values);
      if (::write(message, "+", 1) != 1) ::_exit(2);
      while (rank == hanging) ::pause();
      add_forever(communicator);
    } catch (const std::exception& error) {
      end(error.what());
    }
    ::_exit(3);
  }

  std::string read(int rank, std::size_t most) {
    std::string text;
    char next = 0;
    while (text.size() < most && ::read(messages_[static_cast<std::size_t>(rank)], &next, 1) == 1) {
      text += next;
    }
    return text;
  }

  std::uint16_t port_;
  std::vector<pid_t> processes_;
  std::vector<int> messages_;
};

TEST(LostRank, AllNameTheOneThatWasKilled) {
  for (const int lost : {2, 0}) {
    Processes ranks(4);
    for (int rank = 0; rank < 4; ++rank) ranks.wait_for_start(rank);
    ranks.kill(lost, SIGKILL);
    for (int rank = 0; rank < 4; ++rank) {
      if (rank == lost) continue;
      EXPECT_THAT(ranks.message(rank), AllOf(StartsWith("rank " + std::to_string(lost) + " on "),
                                             HasSubstr("has ended without a word")))
          << rank;
    }
  }
}

TEST(LostRank, AllNameTheOneThatHangs) {
  Processes ranks(3);
  for (int rank = 0; rank < 3; ++rank) ranks.wait_for_start(rank);
  ranks.kill(1, SIGSTOP);
  for (const int rank : {0, 2}) {
    EXPECT_THAT(ranks.message(rank),
                AllOf(StartsWith("rank 1 on host "), HasSubstr("has not answered for")));
  }
}

/// Its own watch ends it.
TEST(LostRank, TheOneThatHangsInItsOwnWorkEndsToo) {
  for (const int lost : {1, 0}) {
    Processes ranks(2, lost);
    for (int rank = 0; rank < 2; ++rank) ranks.wait_for_start(rank);
    const std::string reason = fmt::format("rank {} on host ", lost);
    EXPECT_THAT(ranks.message(lost), AllOf(StartsWith("forced: " + reason), HasSubstr("hangs")));
    EXPECT_THAT(ranks.message(1 - lost), AllOf(StartsWith(reason), HasSubstr("hangs")));
  }
}

TEST(Rendezvous, NamesTheRanksThatDoNotCome) {
  const std::uint16_t port = free_port();
  const Patience patience{.join = std::chrono::milliseconds(300)};
  std::thread second([&] { EXPECT_THROW(TcpCommunicator(place_of(1, 4, port), patience), Error); });
  try {
    const TcpCommunicator first(place_of(0, 4, port), patience);
    ADD_FAILURE() << "ranks are missing";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("of 4 did not come"), HasSubstr("3")));
  }
  second.join();
}

/// The message of the exception with which a rank cannot join.
std::string join_message(const distributed::RankPlace& place) {
  try {
    const TcpCommunicator joined(place);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

TEST(Rendezvous, RefusesAnotherNumberOfRanks) {
  const std::uint16_t port = free_port();
  std::string second;
  std::thread other([&] { second = join_message(place_of(1, 3, port)); });
  const std::string first = join_message(place_of(0, 2, port));
  other.join();
  EXPECT_THAT(first, HasSubstr("rank 1 of 3, but there are 2 ranks"));
  EXPECT_THAT(second, HasSubstr("rank 1 of 3, but there are 2 ranks"));
}

TEST(Rendezvous, IgnoresStrangers) {
  const std::uint16_t port = free_port();
  const auto deadline = Clock::now() + std::chrono::seconds(30);
  std::thread stranger([&] {
    const UniqueFd connection = distributed::connect_to({"127.0.0.1", port}, deadline);
    const std::string request = "GET / HTTP/1.1\r\n\r\n";
    distributed::send_some(connection.get(), std::as_bytes(std::span(request)));
    distributed::RankPlace other = place_of(1, 2, port);
    other.job = "another";
    EXPECT_THAT(join_message(other), HasSubstr("it belongs to another job"));
  });
  std::thread second([&] {
    stranger.join();
    EXPECT_EQ(join_message(place_of(1, 2, port)), "");
  });
  EXPECT_EQ(join_message(place_of(0, 2, port)), "");
  second.join();
}

/// A rank of another job that is killed at once cannot be answered.
TEST(Rendezvous, IgnoresStrangersThatAreGone) {
  const std::uint16_t port = free_port();
  const auto deadline = Clock::now() + std::chrono::seconds(30);
  std::thread second([&] {
    {
      const UniqueFd stranger = distributed::connect_to({"127.0.0.1", port}, deadline);
      // Closing resets the connection, as if its buffers were full of unread answers.
      const linger at_once{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(stranger.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      const std::string hello = fmt::format("tern-rank-1\n{}\nanother\n2\n1\n1\nhost\n", version());
      distributed::send_message(stranger.get(), hello, deadline);
    }
    EXPECT_EQ(join_message(place_of(1, 2, port)), "");
  });
  EXPECT_EQ(join_message(place_of(0, 2, port)), "");
  second.join();
}

TEST(Address, IsAHostAndAPort) {
  const distributed::Address address = distributed::parse_address("node7:5000", "TERN_MASTER");
  EXPECT_EQ(address.host, "node7");
  EXPECT_EQ(address.port, 5000);
  for (const char* wrong : {"", "node7", "node7:", ":5000", "node7:0", "node7:70000", "a:5x"}) {
    EXPECT_THROW(distributed::parse_address(wrong, "TERN_MASTER"), ConfigError) << wrong;
  }
}

}  // namespace
}  // namespace tern::test
