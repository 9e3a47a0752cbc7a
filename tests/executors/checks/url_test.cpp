#include "executors/checks/url.h"

#include <gtest/gtest.h>

namespace executors {
namespace {

std::string normalized(std::string_view text) {
  const auto url = parse_url(text);
  return url ? url->text() : "none";
}

TEST(UrlTest, Parses) {
  EXPECT_EQ(normalized("http://127.0.0.1:8080/a?b=c#d"), "http://127.0.0.1:8080/a?b=c");
  EXPECT_EQ(normalized("HTTP://localhost"), "http://localhost:80/");
  EXPECT_EQ(normalized("https://host/"), "https://host:443/");
  EXPECT_EQ(normalized("http://host:?q"), "http://host:80/?q");
  EXPECT_EQ(normalized("http://[::1]:8080/x"), "http://[::1]:8080/x");
  EXPECT_EQ(normalized("http://user:password@host/x"), "http://host:80/x");
  for (const char* wrong : {"", "/path", "host:80", "ftp://host/", "http://", "http:///x",
                            "http://host:x/", "http://host:99999/", "http://[::1/x"}) {
    EXPECT_EQ(normalized(wrong), "none") << wrong;
  }
}

TEST(UrlTest, ResolvesLocations) {
  const auto base = *parse_url("http://127.0.0.1:8080/a/b?c");
  const auto resolved = [&](std::string_view location) {
    const auto url = resolve_location(base, location);
    return url ? url->text() : "none";
  };
  EXPECT_EQ(resolved("/x"), "http://127.0.0.1:8080/x");
  EXPECT_EQ(resolved("x?y"), "http://127.0.0.1:8080/a/x?y");
  EXPECT_EQ(resolved("?y"), "http://127.0.0.1:8080/a/b?y");
  EXPECT_EQ(resolved("#part"), "http://127.0.0.1:8080/a/b?c");
  EXPECT_EQ(resolved(" //other/x "), "http://other:80/x");
  EXPECT_EQ(resolved("https://other:1/x"), "https://other:1/x");
  EXPECT_EQ(resolved("/x?next=http://other/"), "http://127.0.0.1:8080/x?next=http://other/");
  EXPECT_EQ(resolved("ftp://other/"), "none");
}

TEST(UrlTest, AddressesThatNeedNoNameService) {
  EXPECT_EQ(numeric_address(*parse_url("http://127.0.0.1/")), "127.0.0.1");
  EXPECT_EQ(numeric_address(*parse_url("http://LocalHost/")), "127.0.0.1");
  EXPECT_EQ(numeric_address(*parse_url("http://[::1]/")), "::1");
  EXPECT_EQ(numeric_address(*parse_url("http://example.com/")), std::nullopt);
  EXPECT_EQ(numeric_address(*parse_url("http://[nonsense]/")), std::nullopt);
}

}  // namespace
}  // namespace executors
