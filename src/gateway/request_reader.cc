#include "gateway/request_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <utility>

namespace parley::gateway {
namespace {

namespace http = boost::beast::http;
using Refusal = RequestReader::Refusal;

Verb verb_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Verb::get;
    case http::verb::head:
      return Verb::head;
    case http::verb::post:
      return Verb::post;
    case http::verb::options:
      return Verb::options;
    default:
      return Verb::other;
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return out;
}

Refusal refusal_of(const boost::system::error_code& error, const RequestLimits& limits) {
  if (error == http::error::header_limit) {
    return {431, "The header of the request is larger than " + std::to_string(limits.max_header_bytes) +
                     " bytes."};
  }
  if (error == http::error::body_limit) {
    return {413,
            "The body of the request is larger than " + std::to_string(limits.max_body_bytes) + " bytes."};
  }
  if (error == http::error::bad_version) {
    return {505, "Only HTTP/1.1 and HTTP/1.0 are spoken here."};
  }
  return {400, "This is no HTTP request: " + error.message() + "."};
}

// "http://host:port/path" to its host and path; what begins with '/' has no host.
void split_target(std::string_view target, Request& request, std::string& host) {
  if (const auto scheme = target.find("://"); !target.starts_with('/') && scheme != std::string_view::npos) {
    const auto authority = target.substr(scheme + 3);
    const auto end = std::min(authority.find_first_of("/?"), authority.size());
    host = authority.substr(0, end);
    target = authority.substr(end);
  }
  const auto question = std::min(target.find('?'), target.size());
  request.path = target.substr(0, question);
  request.query = question < target.size() ? target.substr(question + 1) : std::string_view();
  if (request.path.empty()) {
    request.path = "/";
  }
}

}  // namespace

struct RequestReader::Parser {
  http::request_parser<http::string_body> http;
};

RequestReader::RequestReader(const RequestLimits& limits)
    : parser_(std::make_unique<Parser>()), limits_(limits) {
  parser_->http.eager(true);
  parser_->http.header_limit(static_cast<std::uint32_t>(limits.max_header_bytes));
  parser_->http.body_limit(limits.max_body_bytes);
}

RequestReader::~RequestReader() = default;

RequestReader::Progress RequestReader::feed(std::string_view bytes) {
  Progress progress;
  boost::system::error_code error;
  progress.consumed_bytes = parser_->http.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (error && error != http::error::need_more) {
    progress.refusal = refusal_of(error, limits_);
  } else {
    progress.is_done = parser_->http.is_done();
  }
  return progress;
}

bool RequestReader::has_header() const { return parser_->http.is_header_done(); }

bool RequestReader::take_expectation() {
  if (expectation_taken_ || !has_header() || parser_->http.get().version() < 11) {
    return false;
  }
  expectation_taken_ = true;
  return lower(parser_->http.get()[http::field::expect]) == "100-continue";
}

std::size_t RequestReader::announced_body_bytes() const {
  if (const auto length = parser_->http.content_length()) {
    return static_cast<std::size_t>(*length);
  }
  return parser_->http.chunked() ? limits_.max_body_bytes : 0;
}

std::expected<Request, RequestReader::Refusal> RequestReader::take() {
  auto message = parser_->http.release();
  Request request;
  request.verb = verb_of(message.method());
  request.is_http_1_0 = message.version() == 10;
  request.keep_alive = message.keep_alive();
  request.body = std::move(message.body());
  if (message.version() != 10 && message.version() != 11) {
    return std::unexpected(Refusal{505, "Only HTTP/1.1 and HTTP/1.0 are spoken here."});
  }
  std::string host;
  split_target(message.target(), request, host);
  if (!request.path.starts_with('/') && request.path != "*") {
    return std::unexpected(Refusal{400, "The target of the request is no path."});
  }
  for (const auto& field : message) {
    auto name = lower(field.name_string());
    if (name == "host" && !host.empty()) {
      continue;  // the one in the target counts
    }
    if ((name == "host" || name == "authorization" || name == "content-type") && request.has_header(name)) {
      return std::unexpected(Refusal{400, "The header " + name + " is there twice."});
    }
    request.headers.emplace_back(std::move(name), field.value());
  }
  if (!host.empty()) {
    request.headers.emplace_back("host", std::move(host));
  }
  if (!request.is_http_1_0 && !request.has_header("host")) {
    return std::unexpected(Refusal{400, "An HTTP/1.1 request needs a Host."});
  }
  return request;
}

}  // namespace parley::gateway
