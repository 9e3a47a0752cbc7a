// LIST_FILES and READ_FILE.

#include "operator_api/file_access.h"
#include "operator_api/handlers.h"

namespace operator_api {

using base::Task;
using mesos::v1::agent::Response;

http::Response file_error(const base::Error& error) {
  http::Response response = http::error_response(error);
  if (response.status == 403 || response.status == 404) response.body.clear();
  return response;
}

Task<void> list_files(Exchange& exchange) {
  auto files = co_await access_file(exchange, exchange.call.list_files().path(), agent::list_files);
  if (!files) {
    co_await exchange.reply(file_error(files.error()));
    co_return;
  }
  Response response;
  response.set_type(Response::LIST_FILES);
  auto* list = response.mutable_list_files();
  for (auto& file : *files) list->add_file_infos()->Swap(&file);
  co_await exchange.reply(response);
}

Task<void> read_file(Exchange& exchange) {
  const auto& wanted = exchange.call.read_file();
  const uint64_t offset = wanted.offset();
  const uint64_t length = wanted.has_length() ? wanted.length() : agent::max_read_size();
  auto part = co_await access_file(
      exchange, wanted.path(),
      [offset, length](const agent::VirtualPath& path, const std::string& shown_as) {
        return agent::read_file(path, shown_as, offset, length);
      });
  if (!part) {
    co_await exchange.reply(file_error(part.error()));
    co_return;
  }
  Response response;
  response.set_type(Response::READ_FILE);
  response.mutable_read_file()->set_size(part->size);
  response.mutable_read_file()->set_data(std::move(part->data));
  co_await exchange.reply(response);
}

}  // namespace operator_api
