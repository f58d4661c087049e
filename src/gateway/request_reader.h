// RequestReader: bytes of one HTTP/1.1 request to a Request, within limits. Boost.Beast's parser lives here
// and nowhere else. Private to gateway. Owned by: its connection, while a request comes in. One thread.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/http.h"

namespace parley::gateway {

struct RequestLimits {
  std::size_t max_header_bytes = 0;
  std::size_t max_body_bytes = 0;
};

class RequestReader {
 public:
  explicit RequestReader(const RequestLimits& limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // What a request is refused with that cannot be read; the connection is of no use after that.
  struct Refusal {
    unsigned status = 400;
    std::string words;
    std::optional<std::size_t> body_bytes;  // as announced, where that is what is wrong
  };
  struct Progress {
    std::size_t consumed_bytes = 0;  // bring the rest again, with more behind it
    bool is_done = false;
    std::optional<Refusal> refusal;
  };
  [[nodiscard]] Progress feed(std::string_view bytes);

  // The header is there.
  [[nodiscard]] bool has_header() const;
  // The client waits for "100 Continue" before it sends the body. True once.
  [[nodiscard]] bool take_expectation();
  // A body follows, or has begun. After the header.
  [[nodiscard]] bool announces_body() const;
  // As much of the body as is there.
  [[nodiscard]] std::size_t body_bytes() const;

  // Once, when it is done. A refusal: what was read makes no sense.
  [[nodiscard]] std::expected<Request, Refusal> take();

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
  RequestLimits limits_;
  bool expectation_taken_ = false;
};

}  // namespace parley::gateway
