#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "host/support/clock.hpp"
#include "host/support/unique_fd.hpp"

namespace tern::distributed {

/// Between two tries to reach a process that may not have started yet, or to get a port.
inline constexpr std::chrono::milliseconds kBetweenTries{50};

// TCP over IPv4. All sockets are non-blocking; functions that wait have a deadline.

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

/// "node7:5000". `what` names the text in messages. Throws ConfigError.
Address parse_address(std::string_view text, std::string_view what);
/// "node7:5000".
std::string to_text(const Address& address);

/// Whether no other machine can mean this one by this name: "localhost" or "127.0.0.1". A host's own name may
/// be a loopback address on itself, but not elsewhere.
bool is_loopback(std::string_view host);
/// A socket that listens at the host's address, or if it is empty on all interfaces; at port 0: on a free one.
/// Throws Error.
UniqueFd listen_on(const Address& address);
std::uint16_t port_of(int socket);
/// A connection that waits to be accepted; none (not valid()) at the deadline. Throws Error if this process
/// cannot have another one.
UniqueFd accept_from(int listener, Clock::time_point deadline);
/// Tries again and again until somebody listens there. Throws Error at the deadline, and at once if the
/// host is unknown.
UniqueFd connect_to(const Address& address, Clock::time_point deadline);
/// The numeric address at the other end.
std::string peer_of(int socket);

/// Sends or receives a text with its length. Throws Error if the other end is gone, at the deadline, and on
/// a length above kMaxMessage.
void send_message(int socket, std::string_view text, Clock::time_point deadline);
std::string receive_message(int socket, Clock::time_point deadline);
inline constexpr std::size_t kMaxMessage = std::size_t{1} << 20;

/// The bytes sent or received at once, which may be 0; -1 if the other end is gone.
std::ptrdiff_t send_some(int socket, std::span<const std::byte> bytes);
std::ptrdiff_t receive_some(int socket, std::span<std::byte> bytes);

}  // namespace tern::distributed
