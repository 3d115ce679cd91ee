#include "host/distributed/rendezvous.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <random>
#include <string_view>
#include <thread>
#include <utility>

#include "host/support/message.hpp"
#include "tern/error.hpp"
#include "tern/version.hpp"

namespace tern::distributed {
namespace {

// A message is a list of fields, one a line. A rank says hello with kGreeting, version, job, ranks, rank, port
// and host. Rank 0 answers with kWelcome, a token, and for each rank its address, port and host; or with
// kRefusal and a reason. A rank that connects to an earlier one says the token and its rank.

constexpr std::string_view kGreeting = "tern-rank-1";
constexpr std::string_view kWelcome = "welcome";
constexpr std::string_view kRefusal = "refused";
constexpr std::size_t kHelloFields = 7;

/// A process that connects and says nothing must not keep the others waiting for long.
constexpr std::chrono::seconds kForHello{5};

std::string own_host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::vector<std::string> fields_of(std::string_view text) {
  std::vector<std::string> fields;
  for (std::size_t end = 0; (end = text.find('\n')) != text.npos; text.remove_prefix(end + 1)) {
    fields.emplace_back(text.substr(0, end));
  }
  return fields;
}

/// The number, or -1.
int number_of(const std::string& field) {
  int number = -1;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
  return error == std::errc() && end == field.data() + field.size() ? number : -1;
}

std::string message_of(const std::vector<std::string>& fields) {
  return fmt::format("{}\n", fmt::join(fields, "\n"));
}

Clock::time_point soon(Clock::time_point deadline) {
  return std::min(deadline, Clock::now() + kForHello);
}

/// Where a rank listens for those after it.
struct Listed {
  std::string address;  // empty: on the host of the master
  std::uint16_t port = 0;
};

/// The reason why a rank cannot take part; empty if it can.
std::string objection(const RankPlace& place, const std::vector<std::string>& hello,
                      const std::vector<Connections>& all) {
  if (hello[1] != version()) {
    return fmt::format("it runs version {}, rank 0 version {}", in_message(hello[1]), version());
  }
  if (hello[2] != place.job) return "it belongs to another job";
  const int rank = number_of(hello[4]);
  if (number_of(hello[3]) != place.ranks || rank < 1 || rank >= place.ranks) {
    return fmt::format("it is rank {} of {}, but there are {} ranks", in_message(hello[4]),
                       in_message(hello[3]), place.ranks);
  }
  const Connections& known = all[static_cast<std::size_t>(rank)];
  if (known.watch.valid()) {
    return fmt::format("two processes, on {} and on {}, are rank {}", known.host,
                       in_message(hello[6]), rank);
  }
  return "";
}

/// The ranks from this one on without this connection.
std::vector<int> missing_from(int first, const std::vector<Connections>& all,
                              UniqueFd Connections::*connection) {
  std::vector<int> missing;
  for (int rank = first; rank < static_cast<int>(all.size()); ++rank) {
    if (!(all[static_cast<std::size_t>(rank)].*connection).valid()) missing.push_back(rank);
  }
  return missing;
}

[[noreturn]] void throw_missing(const RankPlace& place, const std::vector<Connections>& all) {
  const std::vector<int> missing = missing_from(1, all, &Connections::watch);
  throw Error(
      fmt::format("rank{} {} of {} did not come to {} in time: start all of them with the "
                  "same master",
                  missing.size() == 1 ? "" : "s", fmt::join(missing, ", "), place.ranks,
                  to_text(place.master)));
}

/// Where a rank listens: other machines are kept out of the training of one.
std::string interface_of(const RankPlace& place) {
  return is_loopback(place.master.host) ? place.master.host : "";
}

/// Listens at the master's port. A system may have lent it to an outgoing connection for a moment, such as
/// that of a rank which looks for this very listener.
UniqueFd listen_as_master(const Address& address, Clock::time_point deadline) {
  for (;;) {
    try {
      return listen_on(address);
    } catch (const Error&) {
      if (Clock::now() >= deadline) throw;
      std::this_thread::sleep_for(kBetweenTries);
    }
  }
}

/// A process that has gone again in the meantime does not end the training.
void refuse(int guest, const std::string& reason, Clock::time_point deadline) {
  try {
    send_message(guest, message_of({std::string(kRefusal), reason}), deadline);
  } catch (const Error&) {
  }
}

/// Rank 0: waits for all others, and tells them of each other.
std::string gather_ranks(const RankPlace& place, std::vector<Connections>& all,
                         std::vector<Listed>& listed, std::uint16_t own_port,
                         Clock::time_point deadline) {
  const UniqueFd listener =
      listen_as_master({interface_of(place), place.master.port}, soon(deadline));
  listed[0] = {"", own_port};
  for (int present = 1; present < place.ranks;) {
    UniqueFd guest = accept_from(listener.get(), deadline);
    if (!guest.valid()) throw_missing(place, all);
    std::vector<std::string> hello;
    try {
      hello = fields_of(receive_message(guest.get(), soon(deadline)));
    } catch (const Error&) {
    }
    if (hello.size() != kHelloFields || hello[0] != kGreeting) continue;  // no rank
    if (const std::string reason = objection(place, hello, all); !reason.empty()) {
      refuse(guest.get(), reason, soon(deadline));
      if (hello[2] != place.job) continue;
      throw Error(fmt::format("a rank on host {} does not fit: {}", in_message(hello[6]), reason));
    }
    const auto rank = static_cast<std::size_t>(number_of(hello[4]));
    const std::string address = peer_of(guest.get());
    listed[rank] = {address.starts_with("127.") ? "" : address,
                    static_cast<std::uint16_t>(number_of(hello[5]))};
    all[rank].host = hello[6];
    all[rank].watch = std::move(guest);
    ++present;
  }
  std::vector<std::string> welcome{std::string(kWelcome), std::to_string(std::random_device()())};
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    welcome.insert(welcome.end(),
                   {listed[rank].address, std::to_string(listed[rank].port), all[rank].host});
  }
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    try {
      send_message(all[rank].watch.get(), message_of(welcome), soon(deadline));
    } catch (const Error& error) {
      throw Error(
          fmt::format("rank {} on host {} is gone: {}", rank, all[rank].host, error.what()));
    }
  }
  return welcome[1];
}

/// Every other rank: reports to rank 0, and learns where the others are.
std::string report(const RankPlace& place, std::vector<Connections>& all,
                   std::vector<Listed>& listed, std::uint16_t own_port,
                   Clock::time_point deadline) {
  UniqueFd master = connect_to(place.master, deadline);
  const auto own = static_cast<std::size_t>(place.rank);
  send_message(master.get(),
               message_of({std::string(kGreeting), std::string(version()), place.job,
                           std::to_string(place.ranks), std::to_string(place.rank),
                           std::to_string(own_port), all[own].host}),
               deadline);
  std::vector<std::string> answer;
  try {
    answer = fields_of(receive_message(master.get(), deadline));
  } catch (const Error& error) {
    throw Error(fmt::format("rank 0 at {} did not let rank {} in: {}", to_text(place.master),
                            place.rank, error.what()));
  }
  if (answer.size() == 2 && answer[0] == kRefusal) {
    throw Error(fmt::format("rank 0 at {} did not let rank {} in: {}", to_text(place.master),
                            place.rank, answer[1]));
  }
  if (answer.size() != 2 + 3 * all.size() || answer[0] != kWelcome) {
    throw Error(fmt::format("{} is no rank 0 of a training", to_text(place.master)));
  }
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    listed[rank] = {answer[2 + 3 * rank],
                    static_cast<std::uint16_t>(number_of(answer[3 + 3 * rank]))};
    all[rank].host = answer[4 + 3 * rank];
  }
  all[0].watch = std::move(master);
  return answer[1];
}

/// Connects to the ranks before this one, and is found by those after it.
void connect_all(const RankPlace& place, std::vector<Connections>& all,
                 const std::vector<Listed>& listed, const std::string& token, int listener,
                 Clock::time_point deadline) {
  for (int rank = 0; rank < place.rank; ++rank) {
    const Listed& there = listed[static_cast<std::size_t>(rank)];
    const std::string& host = there.address.empty() ? place.master.host : there.address;
    UniqueFd made = connect_to({host, there.port}, deadline);
    send_message(made.get(), message_of({token, std::to_string(place.rank)}), deadline);
    all[static_cast<std::size_t>(rank)].data = std::move(made);
  }
  for (int present = place.rank + 1; present < place.ranks;) {
    UniqueFd guest = accept_from(listener, deadline);
    if (!guest.valid()) {
      const std::vector<int> missing = missing_from(place.rank + 1, all, &Connections::data);
      throw Error(fmt::format("rank{} {} of {} did not connect to rank {} in time",
                              missing.size() == 1 ? "" : "s", fmt::join(missing, ", "), place.ranks,
                              place.rank));
    }
    std::vector<std::string> hello;
    try {
      hello = fields_of(receive_message(guest.get(), soon(deadline)));
    } catch (const Error&) {
    }
    const int rank = hello.size() == 2 && hello[0] == token ? number_of(hello[1]) : -1;
    if (rank <= place.rank || rank >= place.ranks) continue;
    UniqueFd& known = all[static_cast<std::size_t>(rank)].data;
    if (known.valid()) continue;
    known = std::move(guest);
    ++present;
  }
}

}  // namespace

std::vector<Connections> meet(const RankPlace& place, Clock::time_point deadline) {
  std::vector<Connections> all(static_cast<std::size_t>(place.ranks));
  std::vector<Listed> listed(all.size());
  all[static_cast<std::size_t>(place.rank)].host = own_host();
  const UniqueFd listener = listen_on({interface_of(place), 0});
  const std::uint16_t port = port_of(listener.get());
  const std::string token = place.rank == 0 ? gather_ranks(place, all, listed, port, deadline)
                                            : report(place, all, listed, port, deadline);
  connect_all(place, all, listed, token, listener.get(), deadline);
  return all;
}

}  // namespace tern::distributed
