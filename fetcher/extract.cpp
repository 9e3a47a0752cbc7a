#include "fetcher/extract.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/strings.h"
#include "fetcher/sandbox_files.h"
#include "fetcher/uri.h"

namespace fetcher {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::fail_errno;
using base::Fd;
using base::Result;
using base::Status;

namespace {

constexpr size_t kBlockSize = 64 << 10;
constexpr mode_t kPermissions = 0777;
constexpr mode_t kWhileUnpacking = 0700;

using Reader = std::unique_ptr<archive, decltype(&archive_read_free)>;

std::unexpected<base::Error> fail_reading(archive* reader) {
  const char* text = archive_error_string(reader);
  return fail(ErrorKind::kInvalid, text != nullptr ? text : "the archive is damaged");
}

Status open_reader(archive* reader, int fd) {
  if (lseek(fd, 0, SEEK_SET) < 0) return fail_errno("seek");
  if (archive_read_open_fd(reader, fd, kBlockSize) != ARCHIVE_OK) return fail_reading(reader);
  return {};
}

// "./a//b/" is "a/b"; "." is the empty path. Absolute paths and ".." are refused.
Result<std::string> clean_path(const char* text) {
  if (text == nullptr || *text == '\0') return fail(ErrorKind::kInvalid, "a file has no name");
  const std::string_view path = text;
  if (path.starts_with('/')) {
    return fail(ErrorKind::kInvalid, concat("path '", path, "' is absolute"));
  }
  std::string clean;
  for (std::string_view part : base::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(ErrorKind::kInvalid, concat("path '", path, "' has '..'"));
    if (!clean.empty()) clean += '/';
    clean += part;
  }
  return clean;
}

struct Place {
  Fd directory;
  std::string name;
};

Result<Place> find_place(int root, const std::string& path) {
  const size_t slash = path.rfind('/');
  const bool nested = slash != std::string::npos;
  TRY(Fd directory,
      make_directory_beneath(root, std::string_view(path).substr(0, nested ? slash : 0)));
  return Place{std::move(directory), nested ? path.substr(slash + 1) : path};
}

// What is there gives way, as with tar, but for a directory.
Status make_room(const Place& place) {
  if (unlinkat(place.directory.get(), place.name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return fail_errno(concat("replace '", place.name, "'"));
}

timespec mtime_of(archive_entry* entry) {
  if (!archive_entry_mtime_is_set(entry)) return {.tv_sec = 0, .tv_nsec = UTIME_NOW};
  return {.tv_sec = archive_entry_mtime(entry), .tv_nsec = archive_entry_mtime_nsec(entry)};
}

class Extraction {
 public:
  Extraction(archive* reader, int root) : reader_(reader), root_(root), umask_(umask(0)) {
    umask(umask_);
  }

  Status add(archive_entry* entry) {
    TRY(const std::string path, clean_path(archive_entry_pathname(entry)));
    auto added = add_at(entry, path);
    if (!added) return fail(std::move(added).error().with_context(concat("'", path, "'")));
    return {};
  }

  // Only now: in a directory that must not be written nothing can be made.
  Status finish() {
    for (auto at = directories_.rbegin(); at != directories_.rend(); ++at) {
      TRY(const Place place, find_place(root_, at->path));
      // Not what a later entry has put in its place.
      const Fd fd(openat(place.directory.get(), place.name.c_str(),
                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!fd) continue;
      const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, at->mtime};
      futimens(fd.get(), times);
      if (fchmod(fd.get(), at->mode) < 0) return fail_errno(concat("chmod '", at->path, "'"));
    }
    return {};
  }

 private:
  struct Directory {
    std::string path;
    mode_t mode;
    timespec mtime;
  };

  mode_t mode_of(archive_entry* entry) const {
    return archive_entry_perm(entry) & kPermissions & ~umask_;
  }

  Status add_at(archive_entry* entry, const std::string& path) {
    if (path.empty()) {  // the sandbox itself, which stays as it is
      if (archive_entry_filetype(entry) == AE_IFDIR) return {};
      return fail(ErrorKind::kInvalid, "a file has no name");
    }
    TRY(const Place place, find_place(root_, path));
    if (archive_entry_hardlink(entry) != nullptr) return add_link(entry, place);
    switch (archive_entry_filetype(entry)) {
      case AE_IFREG:
        return add_file(entry, place);
      case AE_IFDIR:
        return add_directory(entry, path, place);
      case AE_IFLNK:
        return add_symlink(entry, place);
      default:
        return fail(ErrorKind::kInvalid, "neither a file, nor a directory, nor a link");
    }
  }

  Status add_file(archive_entry* entry, const Place& place) {
    TRY_VOID(make_room(place));
    const Fd fd(openat(place.directory.get(), place.name.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return fail_errno("create");
    TRY_VOID(copy_data(fd.get()));
    // The end of a sparse file may be a hole.
    if (archive_entry_size_is_set(entry) && archive_entry_sparse_count(entry) > 0 &&
        ftruncate(fd.get(), archive_entry_size(entry)) < 0) {
      return fail_errno("truncate");
    }
    if (fchmod(fd.get(), mode_of(entry)) < 0) return fail_errno("chmod");
    const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, mtime_of(entry)};
    futimens(fd.get(), times);
    return {};
  }

  Status copy_data(int fd) {
    while (true) {
      const void* data = nullptr;
      size_t size = 0;
      la_int64_t offset = 0;
      const int code = archive_read_data_block(reader_, &data, &size, &offset);
      if (code == ARCHIVE_EOF) return {};
      // Also a warning: the content is not what it was.
      if (code != ARCHIVE_OK) return fail_reading(reader_);
      TRY_VOID(write_at(fd, {static_cast<const char*>(data), size}, offset));
    }
  }

  Status add_directory(archive_entry* entry, const std::string& path, const Place& place) {
    if (mkdirat(place.directory.get(), place.name.c_str(), kWhileUnpacking) < 0) {
      if (errno != EEXIST) return fail_errno("mkdir");
      // A link to a directory inside will do as well, and keeps its target's permissions.
      TRY_VOID(make_directory_beneath(root_, path));
      struct stat info{};
      if (fstatat(place.directory.get(), place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
        return fail_errno("stat");
      }
      if (!S_ISDIR(info.st_mode)) return {};
    }
    directories_.push_back({path, mode_of(entry), mtime_of(entry)});
    return {};
  }

  Status add_symlink(archive_entry* entry, const Place& place) {
    const char* target = archive_entry_symlink(entry);
    if (target == nullptr || *target == '\0') {
      return fail(ErrorKind::kInvalid, "a link has no target");
    }
    TRY_VOID(make_room(place));
    if (symlinkat(target, place.directory.get(), place.name.c_str()) < 0) {
      return fail_errno("symlink");
    }
    return {};
  }

  // To what the archive has had before; never to what a symbolic link leads to.
  Status add_link(archive_entry* entry, const Place& place) {
    TRY(const std::string path, clean_path(archive_entry_hardlink(entry)));
    if (path.empty()) return fail(ErrorKind::kInvalid, "a link has no target");
    TRY(const Place target, find_place(root_, path));
    TRY_VOID(make_room(place));
    if (linkat(target.directory.get(), target.name.c_str(), place.directory.get(),
               place.name.c_str(), 0) < 0) {
      return fail_errno(concat("link to '", path, "'"));
    }
    return {};
  }

  archive* reader_;
  int root_;
  mode_t umask_;
  std::vector<Directory> directories_;
};

}  // namespace

Status extract_archive(int fd, int root) {
  const Reader reader(archive_read_new(), &archive_read_free);
  archive_read_support_format_tar(reader.get());
  archive_read_support_format_zip(reader.get());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_filter_xz(reader.get());
  TRY_VOID(open_reader(reader.get(), fd));
  Extraction extraction(reader.get(), root);
  while (true) {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(reader.get(), &entry);
    if (code == ARCHIVE_EOF) return extraction.finish();
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return fail_reading(reader.get());
    TRY_VOID(extraction.add(entry));
  }
}

Status extract_gzip(int fd, int root, const std::string& name) {
  const Reader reader(archive_read_new(), &archive_read_free);
  archive_read_support_format_raw(reader.get());
  archive_read_support_filter_gzip(reader.get());
  TRY_VOID(open_reader(reader.get(), fd));
  archive_entry* entry = nullptr;
  if (archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK) {
    return fail_reading(reader.get());
  }
  // Any file is a raw one.
  if (archive_filter_code(reader.get(), 0) != ARCHIVE_FILTER_GZIP) {
    return fail(ErrorKind::kInvalid, "not a gzip file");
  }
  TRY(NewFile file, NewFile::create(root, name));
  if (archive_read_data_into_fd(reader.get(), file.fd()) != ARCHIVE_OK) {
    return fail_reading(reader.get());
  }
  return file.keep();
}

}  // namespace fetcher
