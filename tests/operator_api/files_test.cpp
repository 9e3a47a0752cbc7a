// The files API: virtual paths, listing, reading, downloading; through HTTP, in this process.
#include "agent/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "agent/attachments.h"
#include "proto/mesos/v1/agent/agent.pb.h"
#include "tests/agent/cluster.h"
#include "tests/operator_api/support.h"

namespace {

using base::concat;
using Response = mesos::v1::agent::Response;
namespace fs = std::filesystem;

constexpr char kShort[] = "/frameworks/framework-1/executors/executor-1/runs/latest";

class FilesTest : public tests::ApiTest {
 protected:
  FilesTest() {
    sandbox_ = agent_->flags.work_dir + "/containers/root";
    EXPECT_TRUE(base::make_directories(sandbox_ + "/dir"));
    EXPECT_TRUE(base::write_file(sandbox_ + "/f", "0123456789"));
    EXPECT_TRUE(base::write_file(sandbox_ + "/dir/g", "ghij"));
    EXPECT_TRUE(base::write_file(scratch_ / "secret", "outside"));
    fs::create_symlink(scratch_ / "secret", sandbox_ + "/out");
    fs::create_symlink("f", sandbox_ + "/in");
    fs::create_symlink("nothing", sandbox_ + "/broken");
  }

  void add_cluster() {
    const std::string executors = scratch_ / "executors";
    for (const char* container : {"container-0", "container-1"}) {
      EXPECT_TRUE(base::make_directories(concat(executors, "/", container)));
      EXPECT_TRUE(base::write_file(concat(executors, "/", container, "/stdout"), container));
    }
    agent_->state = tests::make_state(executors);
    agent_->info.mutable_id()->set_value("agent-1");
  }

  Reply get(const std::string& target, const std::string& headers = "") {
    return exchange(tests::make_request("GET", target, headers, ""));
  }
  Reply list(const std::string& path) {
    return call(concat(R"({"type":"LIST_FILES","list_files":{"path":")", path, R"("}})"));
  }
  Reply read(const std::string& path, const std::string& rest) {
    return call(concat(R"({"type":"READ_FILE","read_file":{"path":")", path, R"(",)", rest, "}}"));
  }
  // The names in a directory, or the status.
  std::string names(const std::string& path) {
    const Reply reply = list(path);
    if (reply.status != 200) return concat(reply.status, " ", reply.body);
    Response response;
    EXPECT_TRUE(proto::parse_json(reply.body, &response)) << reply.body;
    std::string all;
    for (const auto& file : response.list_files().file_infos()) {
      EXPECT_TRUE(file.path().starts_with(agent::normalize_virtual_path(path))) << file.path();
      all += file.path().substr(file.path().rfind('/') + 1) + " ";
    }
    return all;
  }
  // The content, or the status.
  std::string content(const std::string& path) {
    const Reply reply = get("/files/read?offset=0&path=" + path);
    if (reply.status != 200) return concat(reply.status, " ", reply.body);
    EXPECT_TRUE(reply.body.starts_with(R"({"data":")")) << reply.body;
    EXPECT_TRUE(reply.body.ends_with(R"(","offset":0})")) << reply.body;
    return reply.body.substr(9, reply.body.size() - 9 - 13);
  }

  std::string sandbox_;
};

TEST_F(FilesTest, AStandaloneSandboxIsThereByItsRealPath) {
  EXPECT_EQ("dir f in out ", names(sandbox_));
  EXPECT_EQ("dir f in out ", names(sandbox_ + "//"));
  EXPECT_EQ("dir f in out ", names("//" + sandbox_));
  EXPECT_EQ("g ", names(sandbox_ + "/dir"));
  EXPECT_EQ("dir f in out ", names(sandbox_ + "/dir/.."));
  EXPECT_EQ("", names(sandbox_ + "/f"));
  EXPECT_EQ("ghij", content(sandbox_ + "/dir/g"));
}

TEST_F(FilesTest, NothingElseIs) {
  const std::string& work_dir = agent_->flags.work_dir;
  for (const std::string& path :
       {std::string("/"), std::string("/etc"), std::string("/etc/passwd"), std::string("relative"),
        work_dir, work_dir + "/containers", work_dir + "/containers/none",
        work_dir + "/containers/..", work_dir + "/containers/../../secret",
        work_dir + "/containers/root/../../../secret", work_dir + "/containers/root2",
        sandbox_ + "/none", sandbox_ + "/f/below", sandbox_ + "/broken", std::string("/slave/log"),
        std::string(kShort)}) {
    SCOPED_TRACE(path);
    EXPECT_EQ("404 ", names(path));
    EXPECT_EQ("404 ", content(path));
    const Reply download = get("/files/download?path=" + path);
    EXPECT_EQ(404, download.status);
    EXPECT_EQ("404 Not Found.", download.body);
  }
  EXPECT_EQ("404 ", names(""));
  EXPECT_EQ("text/plain; charset=utf-8", header(list("/none"), "Content-Type"));
}

TEST_F(FilesTest, LinksThatLeadOutAreInaccessible) {
  EXPECT_EQ("0123456789", content(sandbox_ + "/in"));
  const std::string refused = concat("400 '", sandbox_, "/out' is inaccessible.\n");
  EXPECT_EQ(refused, names(sandbox_ + "/out"));
  EXPECT_EQ(refused, content(sandbox_ + "/out"));
  EXPECT_EQ(400, get("/files/download?path=" + sandbox_ + "/out").status);
  // In a listing it is the link itself: nothing is told of what it leads to.
  const Reply listing = get("/files/browse?path=" + sandbox_);
  EXPECT_NE(std::string::npos, listing.body.find(R"("mode":"lrwxrwxrwx")")) << listing.body;
}

TEST_F(FilesTest, ASandboxThatIsALinkIsNone) {
  // Only the agent makes directories there, but what is shown must not depend on that.
  const std::string link = agent_->flags.work_dir + "/containers/link";
  fs::create_directory_symlink("/", link);
  EXPECT_EQ("404 ", names(link));
  EXPECT_EQ("404 ", content(link + "/etc/passwd"));
}

TEST_F(FilesTest, Browse) {
  ASSERT_EQ(0, chmod((sandbox_ + "/f").c_str(), 0640));
  ASSERT_EQ(0, chmod((sandbox_ + "/dir").c_str(), 01777));
  const timespec times[2] = {{1'000'000'000, 5}, {1'000'000'000, 5}};
  for (const char* name : {"/f", "/dir"}) {
    ASSERT_EQ(0, utimensat(AT_FDCWD, (sandbox_ + name).c_str(), times, 0));
  }
  const Reply reply = get("/files/browse?path=" + sandbox_);
  EXPECT_EQ("application/json", header(reply, "Content-Type"));
  const auto entry = [&](const char* name, const char* mode, uint64_t size, int links) {
    return concat(R"("mode":")", std::string_view(mode), R"(","mtime":1000000000.0,"nlink":)",
                  links, R"(,"path":")", sandbox_, "/", std::string_view(name), R"(","size":)",
                  size);
  };
  struct stat directory{};
  ASSERT_EQ(0, stat((sandbox_ + "/dir").c_str(), &directory));
  EXPECT_NE(std::string::npos, reply.body.find(entry("f", "-rw-r-----", 10, 1))) << reply.body;
  EXPECT_NE(std::string::npos,
            reply.body.find(entry("dir", "drwxrwxrwt", static_cast<uint64_t>(directory.st_size),
                                  static_cast<int>(directory.st_nlink))))
      << reply.body;
  EXPECT_EQ("[]", get("/files/browse?path=" + sandbox_ + "/f").body);
  for (const char* target : {"/files/browse", "/files/browse?path=", "/files/read",
                             "/files/download", "/files/download?path="}) {
    const Reply refused = get(target);
    EXPECT_EQ(400, refused.status);
    EXPECT_EQ("Expecting 'path=value' in query.\n", refused.body);
  }
}

TEST_F(FilesTest, Jsonp) {
  const std::string target = "/files/browse?path=" + sandbox_ + "/dir&jsonp=";
  const Reply reply = get(target + "a.b");
  EXPECT_EQ("text/javascript", header(reply, "Content-Type"));
  EXPECT_TRUE(reply.body.starts_with("a.b([{") && reply.body.ends_with("}])")) << reply.body;
  EXPECT_EQ(400, get(target + "alert(1)").status);
}

TEST_F(FilesTest, ReadFile) {
  const std::string f = sandbox_ + "/f";
  const auto part = [](const char* data) {
    return concat(R"({"type":"READ_FILE","read_file":{"size":10,"data":")", std::string_view(data),
                  R"("}})");
  };
  EXPECT_EQ(part("MDEyMzQ1Njc4OQ=="), read(f, R"("offset":0)").body);
  EXPECT_EQ(part("MjM0"), read(f, R"("offset":2,"length":3)").body);
  EXPECT_EQ(part("ODk="), read(f, R"("offset":8,"length":100)").body);
  EXPECT_EQ(part("MDEyMzQ1Njc4OQ=="), read(f, R"("offset":0,"length":-1)").body);
  for (const char* rest : {R"("offset":10)", R"("offset":11)", R"("offset":-1)",
                           R"("offset":0,"length":0)", R"("offset":18446744073709551615)"}) {
    EXPECT_EQ(part(""), read(f, rest).body);
  }
  EXPECT_EQ(400, read(f, R"("length":1)").status);  // offset is required
  const Reply directory = read(sandbox_ + "/dir", R"("offset":0)");
  EXPECT_EQ(400, directory.status);
  EXPECT_EQ("Cannot read a directory.\n", directory.body);
}

TEST_F(FilesTest, ReadEndpoint) {
  const std::string target = "/files/read?path=" + sandbox_ + "/f";
  const std::string at_end = R"({"data":"","offset":10})";
  EXPECT_EQ(at_end, get(target).body);
  EXPECT_EQ(at_end, get(target + "&offset=-1").body);
  EXPECT_EQ(R"({"data":"0123456789","offset":0})", get(target + "&offset=0&length=-1").body);
  EXPECT_EQ(R"({"data":"234","offset":2})", get(target + "&offset=2&length=3").body);
  EXPECT_EQ(R"({"data":"","offset":11})", get(target + "&offset=11").body);
  const auto refused = [&](const char* rest) {
    const Reply reply = get(target + rest);
    EXPECT_EQ(400, reply.status);
    return reply.body;
  };
  EXPECT_EQ("Failed to parse offset: Failed to convert 'x' to number.\n", refused("&offset=x"));
  EXPECT_EQ("Failed to parse length: Failed to convert '' to number.\n", refused("&length="));
  EXPECT_EQ("Negative offset provided: -2.\n", refused("&offset=-2"));
  EXPECT_EQ("Negative length provided: -2.\n", refused("&offset=0&length=-2"));
}

TEST_F(FilesTest, OneReadIsSixteenPages) {
  const auto cap = static_cast<size_t>(16 * sysconf(_SC_PAGE_SIZE));
  ASSERT_TRUE(base::write_file(sandbox_ + "/large", std::string(cap + 100, 'x')));
  EXPECT_EQ(std::string(cap, 'x'), content(sandbox_ + "/large"));
  const Reply reply = read(sandbox_ + "/large", R"("offset":50,"length":18446744073709551615)");
  Response response;
  ASSERT_TRUE(proto::parse_json(reply.body, &response));
  EXPECT_EQ(cap + 100, response.read_file().size());
  EXPECT_EQ(cap, response.read_file().data().size());
}

TEST_F(FilesTest, SpecialFilesAreNotRead) {
  ASSERT_EQ(0, mkfifo((sandbox_ + "/fifo").c_str(), 0600));
  const std::string refused =
      concat("400 Cannot read '", sandbox_, "/fifo': it is not a regular file.\n");
  EXPECT_EQ(refused, content(sandbox_ + "/fifo"));
  EXPECT_EQ(400, get("/files/download?path=" + sandbox_ + "/fifo").status);
}

TEST_F(FilesTest, Download) {
  const Reply reply = get("/files/download?path=" + sandbox_ + "/f");
  EXPECT_EQ(200, reply.status);
  EXPECT_EQ("0123456789", reply.body);
  EXPECT_EQ("10", header(reply, "Content-Length"));
  EXPECT_EQ("attachment; filename=f", header(reply, "Content-Disposition"));
  EXPECT_EQ("application/octet-stream", header(reply, "Content-Type"));
  // The real file's name counts.
  EXPECT_EQ("attachment; filename=f",
            header(get("/files/download?path=" + sandbox_ + "/in"), "Content-Disposition"));
  const Reply directory = get("/files/download?path=" + sandbox_ + "/dir");
  EXPECT_EQ(400, directory.status);
  EXPECT_EQ("Cannot download a directory.\n", directory.body);

  ASSERT_TRUE(base::write_file(sandbox_ + "/a \"b\";.txt", ""));
  const Reply empty = get("/files/download?path=" + sandbox_ + "/a%20%22b%22%3b.txt");
  EXPECT_EQ(200, empty.status);
  EXPECT_EQ("", empty.body);
  EXPECT_EQ("text/plain", header(empty, "Content-Type"));
  EXPECT_EQ(R"(attachment; filename="a \"b\";.txt")", header(empty, "Content-Disposition"));
}

TEST_F(FilesTest, DownloadOfParts) {
  const std::string target = "/files/download?path=" + sandbox_ + "/f";
  Reply reply = get(target, "Range: bytes=2-4\r\n");
  EXPECT_EQ(206, reply.status);
  EXPECT_EQ("234", reply.body);
  EXPECT_EQ("bytes 2-4/10", header(reply, "Content-Range"));
  reply = get(target, "Range: bytes=-3\r\n");
  EXPECT_EQ("789", reply.body);
  reply = get(target, "Range: bytes=10-\r\n");
  EXPECT_EQ(416, reply.status);
  EXPECT_EQ("bytes */10", header(reply, "Content-Range"));
  for (const char* headers : {"Range: bytes=1-2,4-5\r\n", "Range: nonsense\r\n",
                              "Range: bytes=2-4\r\nIf-Range: \"etag\"\r\n"}) {
    reply = get(target, headers);
    EXPECT_EQ(200, reply.status);
    EXPECT_EQ("0123456789", reply.body);
    EXPECT_EQ("", header(reply, "Content-Range"));
  }
}

TEST_F(FilesTest, DownloadInPieces) {
  std::string large(3'000'001, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i % 251);
  ASSERT_TRUE(base::write_file(sandbox_ + "/large", large));
  const std::string target = "/files/download?path=" + sandbox_ + "/large";
  EXPECT_TRUE(large == get(target).body);
  EXPECT_TRUE(large.substr(1'000'000) == get(target, "Range: bytes=1000000-\r\n").body);
  // The connection is kept, and HEAD tells the size without the file.
  http_test::Peer peer = connect();
  const Reply head = run(on(peer, "HEAD " + target + " HTTP/1.1\r\n\r\n"));
  EXPECT_EQ("3000001", header(head, "Content-Length"));
  EXPECT_TRUE(large == run(on(peer, "GET " + target + " HTTP/1.1\r\n\r\n")).body);
  EXPECT_EQ(200, run(on(peer, "GET /health HTTP/1.1\r\n\r\n")).status);
}

TEST_F(FilesTest, ExecutorsSandboxes) {
  add_cluster();
  const std::string runs =
      agent_->flags.work_dir + "/slaves/agent-1/frameworks/framework-1/executors/executor-1/runs";
  for (const std::string& path : {std::string(kShort), runs + "/latest", runs + "/container-1"}) {
    EXPECT_EQ("stdout ", names(path));
    EXPECT_EQ("container-1", content(path + "/stdout"));
  }
  // Of a completed one as well, until it is collected.
  EXPECT_EQ("container-0",
            content("/frameworks/framework-1/executors/executor-0/runs/latest/stdout"));
  // By its container only under the real path.
  EXPECT_EQ("404 ", names("/frameworks/framework-1/executors/executor-1/runs/container-1"));
  EXPECT_EQ("404 ", names("/frameworks/framework-1/executors/executor-1/runs"));
}

TEST_F(FilesTest, LatestIsTheNewestRun) {
  add_cluster();
  auto& framework = agent_->state.frameworks.at("framework-1");
  framework.completed_executors.front().info.mutable_executor_id()->set_value("executor-1");
  EXPECT_EQ("container-1", content(std::string(kShort) + "/stdout"));
  const std::string runs =
      agent_->flags.work_dir + "/slaves/agent-1/frameworks/framework-1/executors/executor-1/runs";
  EXPECT_EQ("container-0", content(runs + "/container-0/stdout"));
}

TEST_F(FilesTest, Debug) {
  EXPECT_EQ(concat("{\"", sandbox_, "\":\"", sandbox_, "\"}"), get("/files/debug").body);
  add_cluster();
  const std::string body = get("/files/debug").body;
  EXPECT_TRUE(body.starts_with("{\"/frameworks/framework-1/executors/executor-0/runs/latest\":\""))
      << body;
  EXPECT_NE(std::string::npos, body.find(concat("\"", std::string_view(kShort), "\":\"",
                                                scratch_ / "executors/container-1", "\"")));
}

TEST_F(FilesTest, NothingIsAttachedOfWhatWasCollected) {
  add_cluster();
  const std::string path = "/frameworks/framework-1/executors/executor-0/runs/latest";
  const std::string real = scratch_ / "executors/container-0";
  EXPECT_NE(std::string::npos, get("/files/debug").body.find(real));
  fs::remove_all(real);
  EXPECT_EQ(std::string::npos, get("/files/debug").body.find(real));
  EXPECT_FALSE(agent::find_attachment(*agent_, path).has_value());
  EXPECT_EQ("404 ", names(path));
  EXPECT_TRUE(agent::find_attachment(*agent_, kShort).has_value());
}

TEST_F(FilesTest, TheLog) {
  const std::string log = scratch_ / "agent.log";
  ASSERT_TRUE(base::write_file(log, "a line"));
  agent::Flags flags = agent_->flags;
  flags.external_log_file = log;
  const agent::Agent other(
      flags, make_info(),
      containerizer::Services{{}, containerizer::RuntimePaths("/nowhere"), {}, {}});
  const auto found = agent::find_attachment(other, "/slave/log");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ("a line", agent::read_file(*found, "/slave/log", 0, 100)->data);
  EXPECT_TRUE(agent::list_files(*found, "/slave/log")->empty());
  EXPECT_EQ("agent.log", agent::open_file(*found, "/slave/log", "download")->name);
  EXPECT_FALSE(agent::find_attachment(other, "/slave/log/x").has_value());
  ASSERT_EQ(0, unlink(log.c_str()));
  const auto gone = agent::read_file(*found, "/slave/log", 0, 100);
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(base::ErrorKind::kNotFound, gone.error().kind);

  flags.external_log_file.reset();
  flags.log_dir = scratch_ / "logs";
  flags.logging_level = "WARNING";
  const agent::Agent logging(
      flags, make_info(),
      containerizer::Services{{}, containerizer::RuntimePaths("/nowhere"), {}, {}});
  EXPECT_EQ(concat(scratch_ / "logs/", std::string_view(program_invocation_short_name), ".WARNING"),
            agent::find_attachment(logging, "/slave/log")->attachment.real_path);
}

}  // namespace
