#include "http/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "base/strings.h"

namespace http {

namespace {

// Window bits of 15 (32 KiB), plus 16 for the gzip format instead of zlib's.
constexpr int kGzipFormat = 15 + 16;

Bytef* zlib_bytes(const char* bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes));  // zlib does not write to its input
}

}  // namespace

struct GzipReader::Inflater {
  Inflater() {
    if (inflateInit2(&stream, kGzipFormat) != Z_OK) std::abort();
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream stream{};
  bool member_ended = false;
  bool output_left = false;  // zlib filled the last buffer and may have more
  std::array<char, 8192> input;
};

GzipReader::GzipReader(BodyReader& compressed) : compressed_(compressed) {}
GzipReader::~GzipReader() = default;

base::Result<ssize_t> GzipReader::try_read(std::span<char> buffer) {
  if (ended_) return 0;
  if (error_) return base::fail(*error_);
  auto n = inflate_some(buffer);
  if (n && *n == kWouldBlock) return n;
  if (!n) error_ = n.error();
  ended_ = n && *n == 0;
  if (ended_ || error_) inflater_.reset();
  return n;
}

base::Result<ssize_t> GzipReader::inflate_some(std::span<char> buffer) {
  if (inflater_ == nullptr) inflater_ = std::make_unique<Inflater>();
  z_stream& z = inflater_->stream;
  while (true) {
    if (z.avail_in == 0 && !inflater_->output_left) {
      TRY(const ssize_t n, compressed_.try_read(inflater_->input));
      if (n == kWouldBlock) return kWouldBlock;
      if (n == 0) {
        if (z.total_in == 0 || inflater_->member_ended) return 0;
        return base::fail(base::ErrorKind::kInvalid, "The gzip data of the body is truncated");
      }
      z.next_in = zlib_bytes(inflater_->input.data());
      z.avail_in = static_cast<uInt>(n);
    }
    if (inflater_->member_ended) {  // gzip files may be put together by appending one to another
      inflateReset(&z);
      inflater_->member_ended = false;
    }
    z.next_out = zlib_bytes(buffer.data());
    z.avail_out = static_cast<uInt>(std::min<size_t>(buffer.size(), 1 << 30));
    const uInt room = z.avail_out;
    const int code = inflate(&z, Z_SYNC_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      return base::fail(base::ErrorKind::kInvalid,
                        base::concat("Failed to inflate the gzip data of the body: ",
                                     z.msg == nullptr ? "invalid data" : z.msg));
    }
    inflater_->member_ended = code == Z_STREAM_END;
    inflater_->output_left = z.avail_out == 0 && !inflater_->member_ended;
    if (z.avail_out < room) return static_cast<ssize_t>(room - z.avail_out);
  }
}

std::string gzip(std::string_view data) {
  z_stream z{};
  // The fastest level: this runs on the loop's thread, between everyone's reads and writes.
  if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, kGzipFormat, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    std::abort();
  }
  std::string out(deflateBound(&z, data.size()), '\0');
  z.next_in = zlib_bytes(data.data());
  z.avail_in = static_cast<uInt>(data.size());
  z.next_out = zlib_bytes(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  if (deflate(&z, Z_FINISH) != Z_STREAM_END) std::abort();  // cannot be: the bound is a bound
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

bool accepts_gzip(const Headers& headers) {
  const std::string* accepted = headers.find("Accept-Encoding");
  if (accepted == nullptr) return false;
  bool any = false;
  for (const std::string_view entry : base::split(*accepted, ',')) {
    const std::string_view coding = base::trim(entry.substr(0, entry.find(';')));
    bool refused = false;
    if (coding.size() < entry.size()) {
      for (const std::string_view part : base::split(entry, ';')) {
        const std::string_view parameter = base::trim(part);
        if (parameter.size() >= 2 && same_token(parameter.substr(0, 2), "q=")) {
          refused = parameter.find_first_not_of("0.", 2) == std::string_view::npos;
        }
      }
    }
    if (same_token(coding, "gzip")) return !refused;
    if (coding == "*") any = !refused;
  }
  return any;
}

}  // namespace http
