// Where ranks listen.

#include "host/distributed/sockets.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace tern::test {
namespace {

/// The address that a socket is bound to.
std::uint32_t address_of(const std::string& host) {
  const UniqueFd listener = distributed::listen_on({host, 0});
  sockaddr_in name{};
  socklen_t size = sizeof name;
  EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
  return ntohl(name.sin_addr.s_addr);
}

TEST(Sockets, ListenOnAllInterfacesOrOnOne) {
  EXPECT_EQ(address_of(""), INADDR_ANY);
  EXPECT_EQ(address_of("localhost"), INADDR_LOOPBACK);
  EXPECT_EQ(address_of("127.0.0.2"), INADDR_LOOPBACK + 1);
}

TEST(Sockets, AHostsOwnNameIsForOtherMachinesToo) {
  EXPECT_TRUE(distributed::is_loopback("localhost"));
  EXPECT_TRUE(distributed::is_loopback("127.0.0.1"));
  EXPECT_FALSE(distributed::is_loopback("node7"));
  EXPECT_FALSE(distributed::is_loopback("10.0.0.127"));
}

}  // namespace
}  // namespace tern::test
