#include "upstream/process/start_message.h"

#include <gtest/gtest.h>

#include <cstring>

namespace bentohost::upstream {
namespace {

const StartMessage kMessage = {"/bin/true", {"true", "", "a b"}, {"A=1", "B="},
                               "/srv",      "/run/1.sock",       std::chrono::milliseconds(1500)};

TEST(StartMessageTest, ComesOutAsItWentIn) {
  const std::string bytes = *encode(kMessage);
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data(), sizeof size);
  ASSERT_EQ(size, bytes.size() - sizeof size);
  const auto message = decode_start_message(bytes.substr(sizeof size));
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(message->program, kMessage.program);
  EXPECT_EQ(message->arguments, kMessage.arguments);
  EXPECT_EQ(message->environment, kMessage.environment);
  EXPECT_EQ(message->folder, kMessage.folder);
  EXPECT_EQ(message->socket, kMessage.socket);
  EXPECT_EQ(message->grace, kMessage.grace);
}

TEST(StartMessageTest, IsRefusedWhenItWasCutOrIsTooLong) {
  const std::string body = encode(kMessage)->substr(4);
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(decode_start_message(body.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(decode_start_message(body + "x").ok());
}

TEST(StartMessageTest, HoldsNoNul) {
  StartMessage message = kMessage;
  message.environment.emplace_back("TOKEN=a\0b", 9);
  const Status status = encode(message).status();
  EXPECT_EQ(status.code(), BENTO_INVALID_ARGUMENT);
  EXPECT_NE(status.message().find("NUL"), std::string::npos);
}

}  // namespace
}  // namespace bentohost::upstream
