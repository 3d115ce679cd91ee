#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "host/distributed/tcp_communicator.hpp"
#include "tern/error.hpp"

namespace tern::test {

/// A port that was free just now, below those that systems give to outgoing connections.
inline std::uint16_t free_port() {
  std::random_device random;
  for (;;) {
    const auto port = static_cast<std::uint16_t>(21000 + random() % 11000);
    try {
      distributed::listen_on({"127.0.0.1", port});
      return port;
    } catch (const Error&) {
    }
  }
}

inline distributed::RankPlace place_of(int rank, int ranks, std::uint16_t port) {
  return {.rank = rank, .ranks = ranks, .master = {"127.0.0.1", port}, .job = "test"};
}

/// Runs body(communicator) on as many threads as ranks. Returns the message of each rank's exception, ""
/// without one. A rank that throws makes the others end too.
inline std::vector<std::string> run_ranks(
    int ranks, const std::function<void(distributed::Communicator&)>& body,
    const distributed::Patience& patience = {}) {
  const std::uint16_t port = free_port();
  std::vector<std::string> failures(static_cast<std::size_t>(ranks));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      std::string& failure = failures[static_cast<std::size_t>(rank)];
      try {
        distributed::TcpCommunicator communicator(place_of(rank, ranks, port), patience);
        try {
          body(communicator);
        } catch (const std::exception& error) {
          communicator.fail(error.what());
          throw;
        }
      } catch (const std::exception& error) {
        failure = error.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return failures;
}

}  // namespace tern::test
