// gzip bodies, both ways.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/body.h"
#include "http/headers.h"

namespace http {

// Inflates another body while it is read. Whatever the sender has flushed can be read at once.
// Takes its memory (about 50 KiB) with the first read and frees it at the end of the body. A body
// without any byte is an empty body; broken or truncated gzip data is kInvalid.
class GzipReader final : public BodyReader {
 public:
  // `compressed` must outlive this.
  explicit GzipReader(BodyReader& compressed);
  ~GzipReader() override;

  base::Result<ssize_t> try_read(std::span<char> buffer) override;
  base::Task<void> readable() override { return compressed_.readable(); }
  void collect(bool whole) override { compressed_.collect(whole); }

  // Why reading failed, if it did.
  const std::optional<base::Error>& error() const { return error_; }

 private:
  struct Inflater;
  base::Result<ssize_t> inflate_some(std::span<char> buffer);

  BodyReader& compressed_;
  std::unique_ptr<Inflater> inflater_;
  bool ended_ = false;
  std::optional<base::Error> error_;
};

std::string gzip(std::string_view data);

// Whether Accept-Encoding lists gzip, or otherwise *, with a q other than 0. An absent or empty
// header accepts nothing, as in Apache Mesos.
bool accepts_gzip(const Headers& headers);

}  // namespace http
