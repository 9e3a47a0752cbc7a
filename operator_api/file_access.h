// What the calls and the endpoints about files have in common.
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "agent/files.h"
#include "base/worker.h"
#include "operator_api/authorization.h"

namespace operator_api {

// The response to what could not be done with a file: that it is missing, or must not be seen, is
// told by the status alone.
http::Response file_error(const base::Error& error);

// Runs `look(virtual path, path)` on a worker and gives its Result; `path` is the client's,
// normalized. kNotFound if it is below no attachment, kForbidden if it must not be seen; whether it
// exists is not looked at before.
template <typename Look>
auto access_file(Context& context, const std::string& path, Look look)
    -> base::Task<std::invoke_result_t<Look, const agent::VirtualPath&, const std::string&>> {
  std::string shown_as = agent::normalize_virtual_path(path);
  auto found = agent::find_attachment(context.agent, shown_as);
  if (!found) co_return base::fail(base::ErrorKind::kNotFound, "");
  if (!may_access(context, found->attachment)) {
    co_return base::fail(base::ErrorKind::kForbidden, "");
  }
  co_return co_await base::run_on_worker(
      [look = std::move(look), found = *std::move(found), shown_as = std::move(shown_as)] {
        return look(found, shown_as);
      });
}

}  // namespace operator_api
