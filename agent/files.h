// Looking at files through virtual paths: what LIST_FILES, READ_FILE and /files/* have in common.
// Everything here blocks, touches nothing of the agent, and belongs on a worker.
//
// The errors' texts are for the client. kNotFound: there is no such file, and the text is empty.
// kInvalid: the path leads out of its attachment, or is not what can be read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/attachments.h"
#include "base/fd.h"
#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

// The entries of a directory, by name, under their virtual paths: `shown_as` is the directory's. A
// link is shown as what it leads to; if that is outside of the attachment, as the link itself; if
// it is nothing, not at all. None for what is no directory, or cannot be read.
base::Result<std::vector<mesos::v1::FileInfo>> list_files(const VirtualPath& path,
                                                          const std::string& shown_as);

struct FilePart {
  uint64_t size = 0;  // of the whole file
  std::string data;
};

// At most this much is read at once: 16 pages.
uint64_t max_read_size();

// A part of a file, cut at its end and at max_read_size(). Without an offset, nothing but the size.
base::Result<FilePart> read_file(const VirtualPath& path, const std::string& shown_as,
                                 std::optional<uint64_t> offset, uint64_t length);

struct OpenedFile {
  base::Fd fd;  // for reading
  uint64_t size = 0;
  std::string name;  // the file's own, without directories
};

// A regular file. `verb` is what is to be done with it, for the error's text: "download".
base::Result<OpenedFile> open_file(const VirtualPath& path, const std::string& shown_as,
                                   std::string_view verb);

}  // namespace agent
