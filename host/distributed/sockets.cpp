#include "host/distributed/sockets.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

#include "host/support/message.hpp"
#include "tern/error.hpp"

namespace tern::distributed {
namespace {

std::string reason_of(int error) {
  return std::generic_category().message(error);
}

int milliseconds_until(Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

/// Whether the socket is ready for these events before the deadline.
bool wait_for(int socket, short events, Clock::time_point deadline) {
  for (;;) {
    pollfd ready{socket, events, 0};
    const int found = ::poll(&ready, 1, milliseconds_until(deadline));
    if (found > 0) return true;
    if (Clock::now() >= deadline) return false;
  }
}

UniqueFd make_socket() {
  UniqueFd made(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made.valid()) throw Error(fmt::format("a socket cannot be made: {}", reason_of(errno)));
  return made;
}

/// Small messages leave at once.
void send_without_delay(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

sockaddr_in find_host(const Address& address) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(address.host.c_str(), nullptr, &hints, &found);
  if (error != 0 || found == nullptr) {
    throw Error(
        fmt::format("host {} is not found: {}", in_message(address.host), ::gai_strerror(error)));
  }
  sockaddr_in place{};
  std::memcpy(&place, found->ai_addr, sizeof place);
  ::freeaddrinfo(found);
  place.sin_port = htons(address.port);
  return place;
}

template <class Read>
sockaddr_in name_of(int socket, const Read& read) {
  sockaddr_in place{};
  socklen_t size = sizeof place;
  read(socket, reinterpret_cast<sockaddr*>(&place), &size);
  return place;
}

/// A socket that looks for a listener on a free port of its own machine may get this very port, and then
/// connects to itself.
bool is_connected_to_itself(int socket) {
  const sockaddr_in here = name_of(socket, ::getsockname);
  const sockaddr_in there = name_of(socket, ::getpeername);
  return here.sin_port == there.sin_port && here.sin_addr.s_addr == there.sin_addr.s_addr;
}

/// A connection, or the reason why there is none.
UniqueFd try_to_connect(const sockaddr_in& place, Clock::time_point deadline, int& error) {
  UniqueFd made = make_socket();
  error = 0;
  if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0) {
    error = errno;
    if (error == EINPROGRESS) {
      error = ETIMEDOUT;
      if (wait_for(made.get(), POLLOUT, deadline)) {
        socklen_t size = sizeof error;
        ::getsockopt(made.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      }
    }
  }
  if (error == 0 && is_connected_to_itself(made.get())) error = ECONNREFUSED;
  return error == 0 ? std::move(made) : UniqueFd();
}

/// Calls move(rest) until all bytes are moved.
template <class Bytes, class Move>
void move_all(int socket, short events, Bytes bytes, Clock::time_point deadline, const Move& move) {
  while (!bytes.empty()) {
    const std::ptrdiff_t moved = move(socket, bytes);
    if (moved < 0) throw Error("the connection was closed");
    bytes = bytes.subspan(static_cast<std::size_t>(moved));
    if (moved == 0 && !wait_for(socket, events, deadline)) throw Error("no answer in time");
  }
}

}  // namespace

Address parse_address(std::string_view text, std::string_view what) {
  const std::size_t colon = text.rfind(':');
  const std::string_view digits = colon == text.npos ? "" : text.substr(colon + 1);
  Address address{std::string(text.substr(0, colon)), 0};
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (address.host.empty() || address.port == 0 || error != std::errc() ||
      end != digits.data() + digits.size()) {
    throw ConfigError(
        fmt::format("{}: found {}, expected host:port, such as node7:5000", what, quote(text)));
  }
  return address;
}

std::string to_text(const Address& address) {
  return fmt::format("{}:{}", address.host, address.port);
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host.starts_with("127.");
}

UniqueFd listen_on(const Address& address) {
  UniqueFd made = make_socket();
  const int on = 1;
  // A port whose last connections are still being closed can be used again.
  ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_addr.s_addr = htonl(INADDR_ANY);
  place.sin_port = htons(address.port);
  if (!address.host.empty()) place = find_host(address);
  if (::bind(made.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0 ||
      ::listen(made.get(), SOMAXCONN) != 0) {
    throw Error(fmt::format("port {} cannot be used: {}", address.port, reason_of(errno)));
  }
  return made;
}

std::uint16_t port_of(int socket) {
  return ntohs(name_of(socket, ::getsockname).sin_port);
}

UniqueFd accept_from(int listener, Clock::time_point deadline) {
  for (;;) {
    if (!wait_for(listener, POLLIN, deadline)) return UniqueFd();
    UniqueFd made(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (made.valid()) {
      send_without_delay(made.get());
      return made;
    }
    // After all other errors the other end has gone again. After these it still waits: another try would fail
    // at once, without end.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      throw Error(fmt::format("a connection cannot be accepted: {}", reason_of(errno)));
    }
  }
}

UniqueFd connect_to(const Address& address, Clock::time_point deadline) {
  const sockaddr_in place = find_host(address);
  for (;;) {
    int error = 0;
    UniqueFd made = try_to_connect(place, deadline, error);
    if (made.valid()) {
      send_without_delay(made.get());
      return made;
    }
    if (Clock::now() >= deadline) {
      throw Error(fmt::format("{} does not answer: {}", to_text(address), reason_of(error)));
    }
    std::this_thread::sleep_for(kBetweenTries);
  }
}

std::string peer_of(int socket) {
  const sockaddr_in place = name_of(socket, ::getpeername);
  std::array<char, INET_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET, &place.sin_addr, text.data(), text.size());
  return text.data();
}

void send_message(int socket, std::string_view text, Clock::time_point deadline) {
  const std::uint32_t size = htonl(static_cast<std::uint32_t>(text.size()));
  const auto send = [&](std::span<const std::byte> bytes) {
    move_all(socket, POLLOUT, bytes, deadline, send_some);
  };
  send(std::as_bytes(std::span(&size, 1)));
  send(std::as_bytes(std::span(text)));
}

std::string receive_message(int socket, Clock::time_point deadline) {
  const auto receive = [&](std::span<std::byte> bytes) {
    move_all(socket, POLLIN, bytes, deadline, receive_some);
  };
  std::uint32_t size = 0;
  receive(std::as_writable_bytes(std::span(&size, 1)));
  size = ntohl(size);
  if (size > kMaxMessage) throw Error("the other end is no rank of a training");
  std::string text(size, '\0');
  receive(std::as_writable_bytes(std::span(text)));
  return text;
}

std::ptrdiff_t send_some(int socket, std::span<const std::byte> bytes) {
  const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return sent;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

std::ptrdiff_t receive_some(int socket, std::span<std::byte> bytes) {
  const ssize_t received = ::recv(socket, bytes.data(), bytes.size(), 0);
  if (received > 0) return received;
  if (received == 0) return bytes.empty() ? 0 : -1;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

}  // namespace tern::distributed
