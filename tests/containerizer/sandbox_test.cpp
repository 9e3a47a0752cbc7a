#include "containerizer/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "tests/scratch.h"

namespace {

using containerizer::ContainerId;
using containerizer::find_user;
using containerizer::Sandbox;
using isolators::Credentials;
namespace fs = std::filesystem;

const ContainerId kRoot = ContainerId::root_of("a");
const ContainerId kNested = kRoot.child("b");

class SandboxTest : public testing::Test {
 protected:
  SandboxTest() {
    // Something that no sandbox may ever reach.
    EXPECT_TRUE(base::make_directories(outside_ / "containers/a/containers/b"));
    EXPECT_TRUE(base::write_file(outside_ / "stdout", "precious"));
  }

  base::Result<Sandbox> create(const ContainerId& id, std::optional<Credentials> owner = {}) {
    return Sandbox::create(work_dir_.path(), Sandbox::path_of(work_dir_.path(), id), owner);
  }
  base::Status remove(const ContainerId& id) {
    return Sandbox::remove(work_dir_.path(), Sandbox::path_of(work_dir_.path(), id));
  }

  void expect_untouched() const {
    EXPECT_EQ("precious", base::read_file(outside_ / "stdout").value());
    EXPECT_TRUE(fs::is_empty(outside_ / "containers/a/containers/b"));
    EXPECT_EQ(2, std::distance(fs::directory_iterator(outside_.path()), fs::directory_iterator()));
  }

  static mode_t mode_of(const std::string& path) {
    struct stat info{};
    EXPECT_EQ(0, lstat(path.c_str(), &info)) << path;
    return info.st_mode & 07777;
  }
  static uid_t owner_of(const std::string& path) {
    struct stat info{};
    EXPECT_EQ(0, lstat(path.c_str(), &info)) << path;
    return info.st_uid;
  }

  const tests::ScratchDirectory work_dir_;
  const tests::ScratchDirectory outside_;
};

TEST_F(SandboxTest, IsMadeWithWhatIsAboveIt) {
  auto sandbox = create(kNested.child("c"));
  ASSERT_TRUE(sandbox.has_value()) << sandbox.error().message;
  const std::string path = work_dir_ / "containers/a/containers/b/containers/c";
  EXPECT_EQ(path, sandbox->path());
  EXPECT_EQ(path, Sandbox::path_of(work_dir_.path(), kNested.child("c")));
  EXPECT_TRUE(sandbox->is_new());
  EXPECT_TRUE(fs::is_directory(path));
}

TEST_F(SandboxTest, Modes) {
  // Whatever the agent was started with.
  for (const mode_t mask : {mode_t{022}, mode_t{0}, mode_t{077}}) {
    const mode_t before = umask(mask);
    auto sandbox = create(kNested);
    umask(before);
    ASSERT_TRUE(sandbox.has_value());
    EXPECT_EQ(0750U, mode_of(work_dir_ / "containers/a")) << mask;
    EXPECT_EQ(0750U, mode_of(work_dir_ / "containers/a/containers/b")) << mask;
    EXPECT_EQ(0755U, mode_of(work_dir_ / "containers")) << mask;
    ASSERT_TRUE(sandbox->open_output("stdout", {}));
    ASSERT_TRUE(remove(kRoot));
    fs::remove(work_dir_ / "containers");
  }
}

TEST_F(SandboxTest, OneThatIsThereIsTakenAsItIs) {
  ASSERT_TRUE(create(kRoot));
  ASSERT_TRUE(base::write_file(work_dir_ / "containers/a/kept", "x"));
  ASSERT_EQ(0, chmod((work_dir_ / "containers/a").c_str(), 0700));
  auto again = create(kRoot);
  ASSERT_TRUE(again.has_value());
  EXPECT_FALSE(again->is_new());
  EXPECT_EQ(0700U, mode_of(work_dir_ / "containers/a"));
  EXPECT_TRUE(fs::exists(work_dir_ / "containers/a/kept"));
}

TEST_F(SandboxTest, WorkDirMustExist) {
  auto sandbox = Sandbox::create(work_dir_ / "missing", work_dir_ / "missing/containers/a", {});
  ASSERT_FALSE(sandbox.has_value());
  EXPECT_EQ("open '" + work_dir_ / "missing" + "': No such file or directory",
            sandbox.error().message);
}

// work_dir itself may be a link; the operator has set it up.
TEST_F(SandboxTest, WorkDirMayBeALink) {
  fs::create_directory(work_dir_ / "real");
  fs::create_directory_symlink("real", work_dir_ / "link");
  ASSERT_TRUE(Sandbox::create(work_dir_ / "link", work_dir_ / "link/containers/a", {}));
  EXPECT_TRUE(fs::exists(work_dir_ / "real/containers/a"));
}

TEST_F(SandboxTest, AnExecutorsIsBelowItsAgent) {
  const std::string run = work_dir_ / "slaves/S0/frameworks/f/executors/e/runs/c";
  const std::string child = Sandbox::child_path(run, "n");
  EXPECT_EQ(run + "/containers/n", child);
  ASSERT_TRUE(Sandbox::create(work_dir_.path(), child, {}));
  EXPECT_EQ(0750U, mode_of(run));
  EXPECT_EQ(0750U, mode_of(child));
  EXPECT_EQ(0755U, mode_of(work_dir_ / "slaves/S0"));
  EXPECT_EQ(0755U, mode_of(work_dir_ / "slaves/S0/frameworks/f/executors/e/runs"));
  EXPECT_EQ(0755U, mode_of(run + "/containers"));
  ASSERT_TRUE(Sandbox::remove(work_dir_.path(), child));
  EXPECT_FALSE(fs::exists(child));
  EXPECT_TRUE(fs::exists(run));
}

TEST_F(SandboxTest, WorkDirMayEndInASlash) {
  ASSERT_TRUE(Sandbox::create(work_dir_.path() + "/", work_dir_ / "containers/a", {}));
  EXPECT_TRUE(fs::exists(work_dir_ / "containers/a"));
}

TEST_F(SandboxTest, NothingElseIsASandbox) {
  for (const std::string path :
       {"", "containers", "elsewhere/a", "containers/a/b", "containers/a/other/b", "containers/..",
        "containers/a/containers", "containers//a", "slaves/S0", "slaves/S0/frameworks/f",
        "slaves/S0/frameworks/f/executors/e/runs", "slaves/S0/meta/f/executors/e/runs/c"}) {
    SCOPED_TRACE(path);
    EXPECT_FALSE(Sandbox::create(work_dir_.path(), work_dir_ / path, {}));
    EXPECT_FALSE(Sandbox::remove(work_dir_.path(), work_dir_ / path));
  }
  EXPECT_FALSE(Sandbox::remove(work_dir_.path(), "/"));
  EXPECT_TRUE(fs::is_empty(work_dir_.path()));
}

TEST_F(SandboxTest, LinksInPlaceOfDirectoriesAreRefused) {
  // At each of the four levels.
  const std::vector<std::string> levels = {"containers", "containers/a", "containers/a/containers",
                                           "containers/a/containers/b"};
  for (const auto& level : levels) {
    SCOPED_TRACE(level);
    const fs::path link = work_dir_ / level;
    fs::create_directories(link.parent_path());
    fs::create_directory_symlink(outside_ / level, link);
    EXPECT_FALSE(create(kNested).has_value());
    expect_untouched();
    // Nor does deleting lead there. A link at the end is deleted itself.
    const bool is_last = level == levels.back();
    EXPECT_EQ(is_last, remove(kNested).has_value());
    EXPECT_EQ(!is_last, fs::is_symlink(link));
    expect_untouched();
    fs::remove_all(work_dir_ / "containers");
  }
}

TEST_F(SandboxTest, FilesInPlaceOfDirectoriesAreRefused) {
  fs::create_directory(work_dir_ / "containers");
  ASSERT_TRUE(base::write_file(work_dir_ / "containers/a", "x"));
  auto sandbox = create(kRoot);
  ASSERT_FALSE(sandbox.has_value());
  EXPECT_EQ("open '" + work_dir_ / "containers/a" + "': Not a directory", sandbox.error().message);
}

TEST_F(SandboxTest, OutputFiles) {
  auto sandbox = create(kRoot);
  ASSERT_TRUE(sandbox.has_value());
  const std::string path = work_dir_ / "containers/a/stdout";
  {
    auto output = sandbox->open_output("stdout", {});
    ASSERT_TRUE(output.has_value()) << output.error().message;
    EXPECT_EQ(0644U, mode_of(path));
    ASSERT_EQ(3, write(output->get(), "abc", 3));
    // Whoever truncates it does not leave a hole: it is appended to.
    ASSERT_EQ(0, truncate(path.c_str(), 0));
    ASSERT_EQ(3, write(output->get(), "def", 3));
    EXPECT_EQ("def", base::read_file(path).value());
    // A reader that is slow must not make writing fail.
    EXPECT_EQ(0, fcntl(output->get(), F_GETFL) & O_NONBLOCK);
    EXPECT_EQ(FD_CLOEXEC, fcntl(output->get(), F_GETFD));
  }
  ASSERT_TRUE(sandbox->open_output("stdout", {}));
  EXPECT_EQ("", base::read_file(path).value());
}

TEST_F(SandboxTest, OutputIsARegularFileOfItsOwn) {
  auto sandbox = create(kRoot);
  ASSERT_TRUE(sandbox.has_value());
  const std::string path = work_dir_ / "containers/a/stdout";
  const struct {
    const char* what;
    std::function<void()> plant;
  } kCases[] = {
      {"a symbolic link", [&] { fs::create_symlink(outside_ / "stdout", path); }},
      {"a hard link", [&] { fs::create_hard_link(outside_ / "stdout", path); }},
      {"a dangling link", [&] { fs::create_symlink(outside_ / "new", path); }},
      {"a directory", [&] { fs::create_directory(path); }},
      {"a pipe", [&] { ASSERT_EQ(0, mkfifo(path.c_str(), 0666)); }},
      {"a link to a device", [&] { fs::create_symlink("/dev/null", path); }},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.what);
    test.plant();
    EXPECT_FALSE(sandbox->open_output("stdout", {}).has_value());
    expect_untouched();
    fs::remove(path);
  }
}

// A pipe with a reader could be opened without waiting.
TEST_F(SandboxTest, OutputIsNoPipe) {
  auto sandbox = create(kRoot);
  ASSERT_TRUE(sandbox.has_value());
  const std::string path = work_dir_ / "containers/a/stdout";
  ASSERT_EQ(0, mkfifo(path.c_str(), 0666));
  const base::Fd reader(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(reader);
  auto output = sandbox->open_output("stdout", {});
  ASSERT_FALSE(output.has_value());
  EXPECT_EQ("'" + path + "' is not a regular file", output.error().message);
}

TEST_F(SandboxTest, SafePathLeadsToTheDirectoryThatWasOpened) {
  auto sandbox = create(kRoot);
  ASSERT_TRUE(sandbox.has_value());
  const std::string path = sandbox->safe_path("stdout");
  // What an evil container would do between the check and the use.
  fs::rename(work_dir_ / "containers/a", work_dir_ / "containers/moved");
  fs::create_directory_symlink(outside_.path(), work_dir_ / "containers/a");
  ASSERT_TRUE(base::write_file(path, "mine"));
  expect_untouched();
  EXPECT_EQ("mine", base::read_file(work_dir_ / "containers/moved/stdout").value());
}

TEST_F(SandboxTest, RemovalStaysInside) {
  ASSERT_TRUE(create(kNested));
  ASSERT_TRUE(create(kRoot.child("sibling")));
  const std::string path = work_dir_ / "containers/a/containers/b";
  fs::create_directories(path + "/deep/er");
  fs::create_directory_symlink(outside_.path(), path + "/deep/out");
  fs::create_symlink(outside_ / "stdout", path + "/file");
  ASSERT_TRUE(remove(kNested));
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(fs::exists(work_dir_ / "containers/a/containers/sibling"));
  expect_untouched();
  // What is not there is removed already.
  EXPECT_TRUE(remove(kNested));
  EXPECT_TRUE(remove(ContainerId::root_of("never").child("x").child("y")));
  EXPECT_TRUE(remove(kRoot));
  EXPECT_TRUE(fs::is_empty(work_dir_ / "containers"));
}

TEST_F(SandboxTest, OwnUser) {
  const passwd* self = getpwuid(geteuid());
  ASSERT_NE(nullptr, self);
  const std::string name = self->pw_name;
  const uid_t uid = self->pw_uid;
  const gid_t gid = self->pw_gid;
  auto user = find_user(name);
  ASSERT_TRUE(user.has_value()) << user.error().message;
  EXPECT_EQ(uid, user->uid);
  EXPECT_EQ(gid, user->gid);
  EXPECT_FALSE(user->groups.empty());
  auto sandbox = create(kRoot, *user);
  ASSERT_TRUE(sandbox.has_value()) << sandbox.error().message;
  ASSERT_TRUE(sandbox->open_output("stderr", *user));
  EXPECT_EQ(uid, owner_of(work_dir_ / "containers/a/stderr"));
}

TEST_F(SandboxTest, UnknownUser) {
  for (const char* name : {"no-such-user-here", "", "../x"}) {
    auto user = find_user(name);
    ASSERT_FALSE(user.has_value());
    EXPECT_EQ(base::ErrorKind::kInvalid, user.error().kind);
    EXPECT_EQ("No such user '" + std::string(name) + "'", user.error().message);
  }
}

// Only root can give files away; anybody else is told so, and leaves nothing.
TEST_F(SandboxTest, BelongsToTheContainersUserAlone) {
  const Credentials other{.uid = 4242, .gid = 4242, .groups = {}};
  auto sandbox = create(kNested, other);
  if (geteuid() != 0) {
    ASSERT_FALSE(sandbox.has_value());
    EXPECT_FALSE(fs::exists(work_dir_ / "containers/a"));
    return;
  }
  ASSERT_TRUE(sandbox.has_value()) << sandbox.error().message;
  ASSERT_TRUE(sandbox->open_output("stdout", other));
  EXPECT_EQ(other.uid, owner_of(work_dir_ / "containers/a/containers/b"));
  EXPECT_EQ(other.uid, owner_of(work_dir_ / "containers/a/containers/b/stdout"));
  // What lies between sandboxes is the agent's: its owner could put other sandboxes in the place of
  // those that are there.
  EXPECT_EQ(0U, owner_of(work_dir_ / "containers"));
  EXPECT_EQ(0U, owner_of(work_dir_ / "containers/a/containers"));
}

}  // namespace
