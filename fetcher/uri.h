// What a CommandInfo.URI says: where from, under which name, and what becomes of it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace fetcher {

using mesos::v1::CommandInfo;

// Who fetches what a URI names.
enum class Source {
  kFile,    // a path of the host, or file://
  kNet,     // http, https, ftp, ftps
  kHadoop,  // everything else
};
Source source_of(std::string_view uri);

// A file of the host: the path without "file://", below `frameworks_home` if it is relative.
// kInvalid if it is relative and there is no such home, or if it names another host.
base::Result<std::string> local_path(std::string_view uri, std::string_view frameworks_home);

// Whether it can be fetched at all, as far as can be told without trying. kInvalid.
base::Status check_uri(const CommandInfo::URI& uri);

// The file's name below the sandbox: `output_file`, or the last part of the path (in which, as in
// Apache Mesos, a query counts). Of a URI that check_uri() accepts.
std::string name_of(const CommandInfo::URI& uri);

// The last part of a path, without slashes at its end.
std::string_view last_part(std::string_view path);

// Whether it leads below a directory by its text alone: relative, and without "." and "..".
bool is_plain_path(std::string_view path);

// What a file of this name is unpacked by: names decide, not the content.
enum class Packing { kNone, kArchive, kGzip };
Packing packing_of(std::string_view name);

// What a file in a directory is called until it is complete.
std::string unfinished_name(std::string_view name);

// The URI as it may be shown: without user and password.
std::string shown(std::string_view uri);

}  // namespace fetcher
