#include "agent/domain_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "base/event_loop.h"
#include "tests/scratch.h"

namespace agent {
namespace {

using testing::HasSubstr;

class DomainSocketTest : public testing::Test {
 protected:
  // Whether somebody accepts there.
  bool connects() const {
    const base::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    return connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }

  tests::ScratchDirectory scratch_;
  const std::string path_ = scratch_ / "agent.sock";
};

TEST_F(DomainSocketTest, every_user_may_connect) {
  const auto opened = DomainSocket::open(path_, 8);
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  struct stat info{};
  ASSERT_EQ(lstat(path_.c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 07777, 0666u);
  EXPECT_TRUE(connects());
}

TEST_F(DomainSocketTest, is_removed_in_the_end) {
  {
    auto opened = DomainSocket::open(path_, 8);
    ASSERT_TRUE(opened.has_value());
    const DomainSocket moved(*std::move(opened));
    EXPECT_TRUE(connects());
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(DomainSocketTest, what_has_taken_its_place_stays) {
  {
    const auto opened = DomainSocket::open(path_, 8);
    ASSERT_TRUE(opened.has_value());
    unlink(path_.c_str());
    std::ofstream(path_) << "other";
  }
  EXPECT_TRUE(std::filesystem::is_regular_file(path_));
}

TEST_F(DomainSocketTest, a_killed_agents_socket_is_replaced) {
  {
    const base::Fd left(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(bind(left.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(listen(left.get(), 8), 0);
  }
  EXPECT_TRUE(std::filesystem::exists(path_));
  EXPECT_FALSE(connects());
  const auto opened = DomainSocket::open(path_, 8);
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  EXPECT_TRUE(connects());
}

TEST_F(DomainSocketTest, another_processs_socket_stays) {
  const auto first = DomainSocket::open(path_, 8);
  ASSERT_TRUE(first.has_value());
  const auto second = DomainSocket::open(path_, 8);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind, base::ErrorKind::kAlreadyExists);
  EXPECT_TRUE(connects());
}

TEST_F(DomainSocketTest, what_is_no_socket_stays) {
  std::ofstream(path_) << "precious";
  const auto opened = DomainSocket::open(path_, 8);
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, HasSubstr("is no socket"));
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(DomainSocketTest, the_paths_length_is_bounded) {
  const std::string most = scratch_.path() + "/" + std::string(106 - scratch_.path().size(), 'x');
  EXPECT_TRUE(DomainSocket::open(most, 8).has_value());
  const auto opened = DomainSocket::open(most + "x", 8);
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, HasSubstr("is too long for a socket: 108 bytes"));
}

}  // namespace
}  // namespace agent
