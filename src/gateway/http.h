// A request and an answer of HTTP, as values. Private to gateway. Owned by: whoever holds them. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/answer.h"

namespace parley::gateway {

enum class Verb : std::uint8_t { get, head, post, options, other };

struct Request {
  Verb verb = Verb::other;
  std::string path;                                          // begins with '/', without the query
  std::string query;                                         // without the '?'
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  bool is_http_1_0 = false;
  bool keep_alive = true;

  // The first of that name (in lower case); empty: none.
  [[nodiscard]] std::string_view header(std::string_view name) const {
    const auto found = std::ranges::find(headers, name, &std::pair<std::string, std::string>::first);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
  [[nodiscard]] bool has_header(std::string_view name) const {
    return std::ranges::find(headers, name, &std::pair<std::string, std::string>::first) != headers.end();
  }
};

inline constexpr std::string_view kContentSecurityPolicy = "Content-Security-Policy";

struct Response {
  unsigned status = 200;
  std::vector<std::pair<std::string_view, std::string>> headers;
  std::string body;
  std::string_view embedded_body;                  // instead of `body`: bytes of the program itself
  std::shared_ptr<const std::string> shared_body;  // instead of both: bytes that several answers share
  bool close = false;                              // the connection, afterwards
  service::AnswerCharge charge;                    // of `body`; none: it was not charged yet

  void add(std::string_view name, std::string value) { headers.emplace_back(name, std::move(value)); }
  [[nodiscard]] std::string_view bytes() const {
    if (shared_body) {
      return *shared_body;
    }
    return embedded_body.empty() ? body : embedded_body;
  }
};

// Status line and headers, those of security among them, with the empty line. Of a stream (`is_chunked`) no
// length is told.
[[nodiscard]] std::string head_of(const Response& response, bool is_chunked);

// Bytes of a chunked body, ready for the wire, with what the chunk consists of in front and behind.
[[nodiscard]] std::string as_chunk(std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// `text` as a JSON string, in quotes. Bytes that are no UTF-8 become '?'.
[[nodiscard]] std::string json_text(std::string_view text);

}  // namespace parley::gateway
