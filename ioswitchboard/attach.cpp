#include "ioswitchboard/attach.h"

#include "base/strings.h"

namespace ioswitchboard {

http::Headers accept_headers(const OutputForm& form) {
  const std::string message(media_type(form.encoding));
  if (!form.recordio) return {{"Accept", message}};
  return {{"Accept", std::string(kRecordIoType)}, {"Message-Accept", message}};
}

base::Result<OutputForm> parse_accept(const http::Headers& headers) {
  OutputForm form;
  const std::string* accept = headers.find("Accept");
  if (accept == nullptr || *accept == "*/*") return form;
  form.recordio = base::equals_ignoring_case(*accept, kRecordIoType);
  const std::string* message = form.recordio ? headers.find("Message-Accept") : accept;
  if (message == nullptr) return form;
  const std::optional<Encoding> encoding = encoding_of(*message);
  if (!encoding) {
    return base::fail(base::ErrorKind::kInvalid, base::concat("Cannot make '", *message, "'"));
  }
  form.encoding = *encoding;
  return form;
}

http::Headers content_headers(const OutputForm& form) {
  const std::string message(media_type(form.encoding));
  if (!form.recordio) return {{"Content-Type", message}};
  return {{"Content-Type", std::string(kRecordIoType)}, {"Message-Content-Type", message}};
}

}  // namespace ioswitchboard
