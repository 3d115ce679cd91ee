// Messages of Protocol Buffers, against the examples of the format's documentation.

#include "host/support/protobuf.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tern {
namespace {

using namespace std::string_literals;

TEST(ProtobufMessage, HasTheBytesOfTheExamples) {
  // protobuf.dev/programming-guides/encoding: "A Simple Message", "Length-Delimited Records", "Submessages".
  EXPECT_EQ(ProtobufMessage().integer(1, 150).bytes(), "\x08\x96\x01"s);
  EXPECT_EQ(ProtobufMessage().text(2, "testing").bytes(), "\x12\x07testing"s);
  EXPECT_EQ(ProtobufMessage().message(3, ProtobufMessage().integer(1, 150)).bytes(),
            "\x1A\x03\x08\x96\x01"s);
  // "Signed Integers": -2 as int64.
  EXPECT_EQ(ProtobufMessage().integer(1, -2).bytes(),
            "\x08\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"s);
}

TEST(ProtobufMessage, WritesNumbersLittleEndian) {
  EXPECT_EQ(ProtobufMessage().real(1, 1.5).bytes(), "\x09\0\0\0\0\0\0\xF8\x3F"s);
  EXPECT_EQ(ProtobufMessage().single(2, -2.0F).bytes(), "\x15\0\0\0\xC0"s);
  // A field number of 16 or more takes a second byte.
  EXPECT_EQ(ProtobufMessage().integer(16, 0).bytes(), "\x80\x01\x00"s);
}

}  // namespace
}  // namespace tern
