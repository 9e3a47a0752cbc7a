#include "fetcher/uri.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace fetcher {
namespace {

CommandInfo::URI make_uri(const std::string& value,
                          const std::optional<std::string>& output_file = std::nullopt) {
  CommandInfo::URI uri;
  uri.set_value(value);
  if (output_file) uri.set_output_file(*output_file);
  return uri;
}

TEST(Uri, Source) {
  for (const char* uri : {"/a", "a", "file:///a", "FILE:///a", "  /a"}) {
    EXPECT_EQ(Source::kFile, source_of(uri)) << uri;
  }
  for (const char* uri : {"http://h/a", "https://h/a", "ftp://h/a", "ftps://h/a", " HTTP://h/a"}) {
    EXPECT_EQ(Source::kNet, source_of(uri)) << uri;
  }
  for (const char* uri : {"hdfs://h/a", "s3n://h/a", "gopher://h/a", "sftp://h/a"}) {
    EXPECT_EQ(Source::kHadoop, source_of(uri)) << uri;
  }
}

TEST(Uri, LocalPath) {
  EXPECT_EQ("/a/b", local_path("/a/b", ""));
  EXPECT_EQ("/a/b", local_path("file:///a/b", "/home"));
  EXPECT_EQ("/a/b", local_path("file://localhost/a/b", ""));
  EXPECT_EQ("/home/a/b", local_path(" a/b", "/home"));
  EXPECT_FALSE(local_path("a/b", ""));
  EXPECT_FALSE(local_path("file://a/b", "/home"));
  EXPECT_FALSE(local_path("file://localhostile/b", "/home"));
}

TEST(Uri, Name) {
  const struct {
    const char* uri;
    const char* name;
  } cases[] = {{"/a/b", "b"},
               {"b", "b"},
               {"http://h/b", "b"},
               {"http://h/a/b/", "b"},
               {"http://h/b.tgz?x=1", "b.tgz?x=1"},
               {"http://h/b?x=/1", "1"}};
  for (const auto& [uri, name] : cases) {
    EXPECT_TRUE(check_uri(make_uri(uri))) << uri;
    EXPECT_EQ(name, name_of(make_uri(uri))) << uri;
  }
  EXPECT_TRUE(check_uri(make_uri("http://h/b", "x/y")));
  EXPECT_EQ("x/y", name_of(make_uri("http://h/b", "x/y")));
}

TEST(Uri, Refused) {
  for (const char* uri : {"", "/", "  ", "http://h", "http://h/", "http:///", "file://", "/a/..",
                          "/a/.", "..", "/a\\b", "/a'b"}) {
    EXPECT_FALSE(check_uri(make_uri(uri))) << uri;
  }
  EXPECT_FALSE(check_uri(make_uri(std::string("/a\0b", 4))));
  for (const char* output : {"", "/x", "..", "../x", "a/../x", "./x", "a//b", "a/", "a'b"}) {
    EXPECT_FALSE(check_uri(make_uri("/a", output))) << output;
  }
  EXPECT_FALSE(check_uri(make_uri("/a", std::string("x\0y", 3))));
}

// The name of a directory's parent would do with an output_file.
TEST(Uri, OutputFileMakesUpForTheName) { EXPECT_TRUE(check_uri(make_uri("/a/..", "x"))); }

TEST(Uri, Packing) {
  for (const char* name : {"a.tar", "a.tgz", "a.tar.gz", "a.tbz2", "a.tar.bz2", "a.txz", "a.tar.xz",
                           "a.zip", "b/a.tar"}) {
    EXPECT_EQ(Packing::kArchive, packing_of(name)) << name;
  }
  EXPECT_EQ(Packing::kGzip, packing_of("a.gz"));
  for (const char* name : {"a", "a.tar.txt", "tar", "a.TAR", "a.bz2", "a.xz", "a.jar"}) {
    EXPECT_EQ(Packing::kNone, packing_of(name)) << name;
  }
}

TEST(Uri, ShownWithoutPassword) {
  EXPECT_EQ("http://h/a", shown("http://me:secret@h/a"));
  EXPECT_EQ("http://h/a@b", shown("http://h/a@b"));
  EXPECT_EQ("/me@h/a", shown("/me@h/a"));
}

TEST(Uri, LastPart) {
  EXPECT_EQ("c", last_part("a/b/c"));
  EXPECT_EQ("b", last_part("a/b//"));
  EXPECT_EQ("a", last_part("a"));
  EXPECT_EQ("", last_part("//"));
  EXPECT_EQ("", last_part(""));
}

}  // namespace
}  // namespace fetcher
