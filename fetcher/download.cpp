#include "fetcher/download.h"

#include <curl/curl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/strings.h"

namespace fetcher {

using base::concat;
using base::fail;
using base::Result;
using base::Status;

namespace {

constexpr char kProtocols[] = "http,https,ftp,ftps";
constexpr long kMaxRedirects = 30;
constexpr long kHttpOk = 200;
constexpr long kFtpTransferComplete = 226;

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

// A transfer, and what went wrong with it.
struct Transfer {
  Handle curl{curl_easy_init(), &curl_easy_cleanup};
  int fd = -1;
  int write_errno = 0;
  char message[CURL_ERROR_SIZE] = "";
};

size_t write_body(char* data, size_t, size_t size, void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  for (size_t done = 0; done < size;) {
    const ssize_t n = write(transfer->fd, data + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      transfer->write_errno = errno;
      return CURL_WRITEFUNC_ERROR;
    }
    done += static_cast<size_t>(n);
  }
  return size;
}

// As the command curl reads them; the library does not.
void set_certificates(CURL* curl) {
  for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE"}) {
    const char* path = getenv(name);
    if (path != nullptr && *path != '\0') curl_easy_setopt(curl, CURLOPT_CAINFO, path);
  }
  const char* directory = getenv("SSL_CERT_DIR");
  if (directory != nullptr && *directory != '\0') {
    curl_easy_setopt(curl, CURLOPT_CAPATH, directory);
  }
}

// In whole seconds, which is what libcurl counts in, and at least one.
long to_seconds(std::chrono::nanoseconds timeout) {
  return static_cast<long>(std::chrono::ceil<std::chrono::seconds>(timeout).count());
}

Status set_up(const std::string& uri, std::chrono::nanoseconds stall_timeout, Transfer* transfer) {
  CURL* curl = transfer->curl.get();
  if (curl == nullptr) return fail("libcurl cannot be used");
  curl_easy_setopt(curl, CURLOPT_URL, std::string(base::trim(uri)).c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, kProtocols);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, kProtocols);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->message);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, write_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  set_certificates(curl);
  if (stall_timeout.count() > 0) {
    const long seconds = to_seconds(stall_timeout);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, seconds);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, seconds);
    curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, seconds);
  }
  return {};
}

bool is_http(CURL* curl) {
  const char* scheme = nullptr;
  curl_easy_getinfo(curl, CURLINFO_SCHEME, &scheme);
  return scheme != nullptr && base::to_lower(scheme).starts_with("http");
}

Status perform(Transfer* transfer, std::chrono::nanoseconds stall_timeout) {
  CURL* curl = transfer->curl.get();
  const CURLcode code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  switch (code) {
    case CURLE_OK:
      return {};
    case CURLE_HTTP_RETURNED_ERROR:
      return fail(concat("the server answered with status ", status));
    case CURLE_WRITE_ERROR:
      if (transfer->write_errno == 0) break;
      return base::fail_errno("write", transfer->write_errno);
    case CURLE_OPERATION_TIMEDOUT:
      return fail(concat("nothing came for ", to_seconds(stall_timeout),
                         " s: ", std::string_view(transfer->message)));
    default:
      break;
  }
  const std::string_view message =
      transfer->message[0] != '\0' ? transfer->message : curl_easy_strerror(code);
  return fail(std::string(message));
}

}  // namespace

Status prepare_downloads() {
  const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code == CURLE_OK) return {};
  return fail(concat("libcurl: ", std::string_view(curl_easy_strerror(code))));
}

Status download(const std::string& uri, int fd, std::chrono::nanoseconds stall_timeout) {
  Transfer transfer;
  transfer.fd = fd;
  TRY_VOID(set_up(uri, stall_timeout, &transfer));
  TRY_VOID(perform(&transfer, stall_timeout));
  long status = 0;
  curl_easy_getinfo(transfer.curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status == (is_http(transfer.curl.get()) ? kHttpOk : kFtpTransferComplete)) return {};
  return fail(concat("the server answered with status ", status));
}

Result<std::optional<uint64_t>> remote_size(const std::string& uri,
                                            std::chrono::nanoseconds stall_timeout) {
  Transfer transfer;
  TRY_VOID(set_up(uri, stall_timeout, &transfer));
  CURL* curl = transfer.curl.get();
  curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  // Of an ftp server's answer the headers that libcurl makes of it would be the body.
  curl_easy_setopt(
      curl, CURLOPT_WRITEFUNCTION, +[](char*, size_t, size_t size, void*) { return size; });
  TRY_VOID(perform(&transfer, stall_timeout));
  curl_off_t size = -1;
  curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
  if (size <= 0) return std::nullopt;
  return static_cast<uint64_t>(size);
}

}  // namespace fetcher
