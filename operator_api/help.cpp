// /help: the table of endpoints, for people.

#include "base/strings.h"
#include "http/url.h"
#include "operator_api/endpoints.h"
#include "operator_api/routes.h"

namespace operator_api {

using base::concat;
using base::Task;

namespace {

// What follows "/help/" in a path, with slashes in front and behind taken away.
std::string topic_of(const std::string& path) {
  const auto decoded = http::percent_decode(path);
  std::string_view topic = decoded ? std::string_view(*decoded) : std::string_view();
  constexpr std::string_view kHelp = "/help";
  topic.remove_prefix(std::min(topic.find(kHelp), topic.size()));
  topic.remove_prefix(std::min(kHelp.size(), topic.size()));
  while (topic.starts_with('/')) topic.remove_prefix(1);
  while (topic.ends_with('/')) topic.remove_suffix(1);
  return std::string(topic);
}

}  // namespace

Task<void> show_help(Context& context) {
  const std::string topic = topic_of(context.request.path);
  const std::string wanted = concat("/", topic);
  std::string rows;
  for (const Route& route : routes()) {
    const std::string path = full_path(route);
    const bool listed = topic.empty() || path == wanted || path.starts_with(wanted + "/");
    if (!listed) continue;
    rows += concat("<tr><td><a href=\"", path, "\">", path, "</a></td><td>", route.help,
                   "</td></tr>\n");
  }
  if (rows.empty()) {
    co_await context.reply(http::error_response(404));
    co_return;
  }
  co_await context.reply({200,
                          {{"Content-Type", "text/html"}},
                          concat("<html><head><title>Help</title></head><body><table>\n", rows,
                                 "</table></body></html>\n")});
}

}  // namespace operator_api
