#include "http/net/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace bentohost::http {
namespace {

using testing::HasSubstr;

std::string scratch_path() {
  std::string folder = (std::filesystem::temp_directory_path() / "listenerXXXXXX").string();
  EXPECT_NE(mkdtemp(folder.data()), nullptr);
  return folder + "/s";
}

TEST(Listener, SaysWhichPortIsTakenAndTheWayOut) {
  const auto first = listen_on({"127.0.0.1", 0, {}});
  ASSERT_TRUE(first.ok());
  const Status status = listen_on({"127.0.0.1", (*first)[0].address.port, {}}).status();
  EXPECT_EQ(status.code(), BENTO_UNAVAILABLE);
  EXPECT_EQ(status.message(),
            "cannot listen on 127.0.0.1:" + std::to_string((*first)[0].address.port) +
                ": Address already in use; choose another with --port, or "
                "--port 0 for any free one");
}

TEST(Listener, SaysWhichHostItCannotListenOn) {
  const Status status = listen_on({"192.0.2.1", 3000, {}}).status();  // TEST-NET-1
  EXPECT_EQ(status.code(), BENTO_UNAVAILABLE);
  EXPECT_THAT(status.message(), HasSubstr("cannot listen on 192.0.2.1:3000: "));
  EXPECT_THAT(status.message(), HasSubstr("--host"));
}

TEST(Listener, NamesItsUrl) {
  auto listener = listen_on({"127.0.0.1", 0, {}});
  ASSERT_TRUE(listener.ok());
  ASSERT_EQ(listener->size(), 1u);
  Listener& one = (*listener)[0];
  EXPECT_EQ(one.url(), "http://127.0.0.1:" + std::to_string(one.address.port));
  one.secure = true;
  EXPECT_THAT(one.url(), testing::StartsWith("https://"));
}

TEST(Listener, ListensOnAUnixSocketAndReplacesOneThatNobodyListensOn) {
  const Address address{{}, 0, scratch_path()};
  {
    auto first = listen_on(address);
    ASSERT_TRUE(first.ok()) << first.status().message();
    EXPECT_EQ((*first)[0].url(), "unix:" + address.path);
    EXPECT_THAT(listen_on(address).status().message(), HasSubstr("already in use"));
    delete (*first)[0].file.release();  // as if its owner had died
  }
  EXPECT_EQ(access(address.path.c_str(), F_OK), 0);
  EXPECT_TRUE(listen_on(address).ok());
}

TEST(Listener, RemovesItsUnixSocketWithItself) {
  const Address address{{}, 0, scratch_path()};
  EXPECT_TRUE(listen_on(address).ok());
  EXPECT_NE(access(address.path.c_str(), F_OK), 0);
}

TEST(Listener, GivesItsUnixSocketTheModeThatItIsTold) {
  const Address address{{}, 0, scratch_path()};
  for (const unsigned mode : {kUnixSocketMode, 0600u, 0666u}) {
    const auto listener = listen_on(address, mode);
    ASSERT_TRUE(listener.ok());
    struct stat info {};
    ASSERT_EQ(stat(address.path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, mode);
  }
  EXPECT_EQ(kUnixSocketMode, 0660u);
}

// 127.0.0.1 and ::1, if this machine has them: one port, which is free on both.
TEST(Listener, ListensOnAllAddressesOfAName) {
  const auto v6 = listen_on({"::1", 0, {}});
  addrinfo* found = nullptr;
  ASSERT_EQ(getaddrinfo("localhost", nullptr, nullptr, &found), 0);
  bool names_v6 = false;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    names_v6 |= each->ai_family == AF_INET6;
  }
  freeaddrinfo(found);
  const auto all = listen_on({"localhost", 0, {}});
  ASSERT_TRUE(all.ok()) << all.status().message();
  EXPECT_EQ(all->size(), v6.ok() && names_v6 ? 2u : 1u);
  for (const Listener& each : *all) {
    EXPECT_EQ(each.address.port, (*all)[0].address.port);
    EXPECT_EQ(each.address.host, "localhost");
  }
  EXPECT_FALSE(listen_on({"localhost", (*all)[0].address.port, {}}).ok());
}

TEST(Listener, RefusesANameOfWhichOneAddressIsTaken) {
  auto all = listen_on({"localhost", 0, {}});
  ASSERT_TRUE(all.ok());
  if (all->size() < 2) GTEST_SKIP() << "localhost has one address here";
  const std::uint16_t port = (*all)[0].address.port;
  all->pop_back();
  EXPECT_FALSE(listen_on({"localhost", port, {}}).ok());
}

TEST(Listener, DoesNotReplaceAFileThatIsNoSocket) {
  const Address address{{}, 0, scratch_path()};
  fclose(fopen(address.path.c_str(), "w"));
  EXPECT_FALSE(listen_on(address).ok());
}

TEST(Listener, ReadsAddresses) {
  const auto v4 = parse_address("127.0.0.1:80");
  ASSERT_TRUE(v4.ok());
  EXPECT_EQ(v4->host, "127.0.0.1");
  EXPECT_EQ(v4->port, 80);
  const auto v6 = parse_address("[::1]:65535");
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->host, "::1");
  const auto any = parse_address(":0");
  ASSERT_TRUE(any.ok());
  EXPECT_EQ(any->host, "");
  const auto path = parse_address("unix:/run/x.sock");
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(path->path, "/run/x.sock");
  for (const char* bad :
       {"", "x", "1.2.3.4", "1.2.3.4:", "h:65536", "h:-1", "h:1x", "::1:80", "[::1:80", "unix:"}) {
    EXPECT_FALSE(parse_address(bad).ok()) << bad;
  }
}

class InheritedTest : public testing::Test {
 protected:
  ~InheritedTest() override {
    for (const char* name : {"LISTEN_FDS", "LISTEN_PID"}) unsetenv(name);
  }
  static void pass(int count, int pid) {
    setenv("LISTEN_FDS", std::to_string(count).c_str(), 1);
    setenv("LISTEN_PID", std::to_string(pid).c_str(), 1);
  }
};

TEST_F(InheritedTest, AreNoneWithoutTheVariables) {
  const auto listeners = inherited_listeners();
  ASSERT_TRUE(listeners.ok());
  EXPECT_TRUE(listeners->empty());
}

TEST_F(InheritedTest, AreNotThoseOfAnotherProcess) {
  pass(1, getpid() + 1);
  const auto listeners = inherited_listeners();
  ASSERT_TRUE(listeners.ok());
  EXPECT_TRUE(listeners->empty());
  EXPECT_EQ(std::getenv("LISTEN_FDS"), nullptr);
}

TEST_F(InheritedTest, MustListen) {
  pass(1, getpid());
  const UniqueFd saved(dup(3));
  const UniqueFd file(dup2(2, 3));
  const auto listeners = inherited_listeners();
  EXPECT_THAT(listeners.status().message(), HasSubstr("descriptor 3 is not a listening socket"));
  if (saved) dup2(saved.get(), 3);
}

}  // namespace
}  // namespace bentohost::http
