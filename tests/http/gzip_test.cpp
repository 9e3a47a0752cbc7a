#include "http/gzip.h"

#include <algorithm>
#include <cerrno>
#include <random>

#include "tests/http/support.h"

namespace {

using namespace http_test;
using http::accepts_gzip;
using http::BodyReader;
using http::GzipReader;
using http::Headers;

TEST(AcceptsGzip, table) {
  const std::vector<std::pair<std::string, bool>> cases = {
      {"gzip", true},
      {"GZip", true},
      {"", false},
      {"identity", false},
      {"deflate, gzip", true},
      {" gzip ; q=1.0 , deflate", true},
      {"gzip;q=0", false},
      {"gzip;q=0.000", false},
      {"gzip;q=0.001", true},
      {"gzip; Q=0", false},
      {"*", true},
      {"*;q=0", false},
      {"*;q=0, gzip", true},
      {"gzip;q=0, *", false},
      {"gzipped", false},
      {"x-gzip", false},
      {",,gzip", true},
  };
  for (const auto& [value, expected] : cases) {
    EXPECT_EQ(accepts_gzip({{"Accept-Encoding", value}}), expected) << "'" << value << "'";
  }
  EXPECT_FALSE(accepts_gzip({}));
}

// A body in memory that comes in pieces of `piece` bytes, with a wait before each.
class FakeBody final : public BodyReader {
 public:
  FakeBody(std::string bytes, size_t piece, bool cut_short = false)
      : bytes_(std::move(bytes)), piece_(piece), cut_short_(cut_short) {}

  base::Result<ssize_t> try_read(std::span<char> buffer) override {
    if (std::exchange(blocked_, !blocked_)) return kWouldBlock;
    const size_t n = std::min({piece_, buffer.size(), bytes_.size() - at_});
    if (n == 0 && cut_short_) return base::fail(base::ErrorKind::kClosed, "cut short");
    std::copy_n(bytes_.data() + at_, n, buffer.data());
    at_ += n;
    return static_cast<ssize_t>(n);
  }
  Task<void> readable() override { co_await base::next_turn(); }

 private:
  std::string bytes_;
  size_t piece_;
  bool cut_short_;
  size_t at_ = 0;
  bool blocked_ = false;
};

class Gzip : public LoopTest {
 protected:
  base::Result<std::string> inflate(std::string bytes, size_t piece, size_t limit = 1 << 30,
                                    bool cut_short = false) {
    base::Result<std::string> all;
    run([&]() -> Task<void> {
      FakeBody body(bytes, piece, cut_short);
      GzipReader reader(body);
      all = co_await http::read_all(reader, limit);
      // The end, or the error, is for good.
      char c = 0;
      const auto again = co_await reader.read_some({&c, 1});
      if (all) {
        EXPECT_EQ(again.value_or(7), 0u);
      } else if (all.error().code != EMSGSIZE) {
        EXPECT_FALSE(again.has_value());
      }
    }());
    return all;
  }
};

TEST_F(Gzip, round_trips) {
  std::mt19937 random(3);
  std::string noise(100000, '\0');
  std::ranges::generate(noise, [&] { return static_cast<char>(random()); });
  for (const std::string& text :
       {std::string(), std::string("x"), std::string(300000, 'a'), noise}) {
    const std::string packed = http::gzip(text);
    for (const size_t piece : {size_t{1}, size_t{13}, size_t{5000}, size_t{1} << 20}) {
      if (piece == 1 && packed.size() > 1000) continue;
      const auto all = inflate(packed, piece);
      ASSERT_TRUE(all.has_value()) << all.error().message;
      EXPECT_EQ(*all, text);
    }
  }
}

TEST_F(Gzip, several_members_are_one_body) {
  const auto all = inflate(http::gzip("abc") + http::gzip("") + http::gzip("def"), 7);
  ASSERT_TRUE(all.has_value()) << all.error().message;
  EXPECT_EQ(*all, "abcdef");
}

TEST_F(Gzip, nothing_is_nothing) { EXPECT_EQ(inflate("", 10).value(), ""); }

TEST_F(Gzip, refuses_broken_data) {
  const std::string packed = http::gzip(std::string(10000, 'x') + "yz");
  std::string flipped = packed;
  flipped[packed.size() - 6] = static_cast<char>(~flipped[packed.size() - 6]);  // in the checksum
  for (const std::string& bytes : {packed.substr(0, packed.size() - 1), packed.substr(0, 5),
                                   std::string("plain text"), packed + "garbage", flipped}) {
    const auto all = inflate(bytes, 100);
    ASSERT_FALSE(all.has_value());
    EXPECT_EQ(all.error().kind, base::ErrorKind::kInvalid) << all.error().message;
  }
  const auto cut = inflate(packed.substr(0, 20), 100, 1 << 30, true);
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(cut.error().kind, base::ErrorKind::kClosed);
}

TEST_F(Gzip, a_bomb_is_stopped_by_the_limit) {
  const std::string bomb = http::gzip(std::string(64 << 20, '\0'));
  EXPECT_LT(bomb.size(), size_t{1} << 20);
  const auto all = inflate(bomb, 1 << 20, 100000);
  ASSERT_FALSE(all.has_value());
  EXPECT_EQ(all.error().code, EMSGSIZE);
}

TEST_F(Gzip, read_all_takes_exactly_the_limit) {
  EXPECT_EQ(inflate(http::gzip(std::string(1000, 'x')), 100, 1000).value().size(), 1000u);
  EXPECT_FALSE(inflate(http::gzip(std::string(1001, 'x')), 100, 1000).has_value());
}

}  // namespace
