#include "gateway/request_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/optional/optional.hpp>
#include <charconv>
#include <cstdint>
#include <utility>

namespace parley::gateway {
namespace {

namespace http = boost::beast::http;
using Refusal = RequestReader::Refusal;

// As Beast's string_body, which takes the memory of a whole body as soon as its length is told.
struct GrowingBody {
  // NOLINTBEGIN(readability-identifier-naming): Beast's names
  using value_type = std::string;
  class reader {
   public:
    template <bool is_request, class Fields>
    reader(http::header<is_request, Fields>& /*header*/, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>& /*length*/, boost::system::error_code& error) {
      error = {};
    }
    std::size_t put(const boost::asio::const_buffer& bytes, boost::system::error_code& error) {
      error = {};
      body_.append(static_cast<const char*>(bytes.data()), bytes.size());
      return bytes.size();
    }
    void finish(boost::system::error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
  // NOLINTEND(readability-identifier-naming)
};

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

// As it stands in the header, of which the parser has told that it is a number.
std::optional<std::size_t> told_length(std::string_view text) {
  std::size_t bytes = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  return failed == std::errc() && !text.empty() ? std::optional(bytes) : std::nullopt;
}

Refusal refusal_of(const boost::system::error_code& error, const RequestLimits& limits,
                   std::string_view content_length) {
  if (error == http::error::header_limit) {
    return {431,
            "The header of the request is larger than " + std::to_string(limits.max_header_bytes) + " bytes.",
            {}};
  }
  if (error == http::error::body_limit) {
    return {413, "The body of the request is too large.", told_length(content_length)};
  }
  if (error == http::error::bad_version) {
    return {505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.", {}};
  }
  return {400, "This is no HTTP request: " + error.message() + ".", {}};
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
  http::request_parser<GrowingBody> http;
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
    progress.refusal = refusal_of(error, limits_, parser_->http.get()[http::field::content_length]);
    return progress;
  }
  progress.is_done = parser_->http.is_done();
  // Of these Beast keeps no limit.
  if (!progress.is_done && has_header() &&
      bytes.size() - progress.consumed_bytes > limits_.max_header_bytes) {
    progress.refusal = {431,
                        "A chunk's header, or what follows the last chunk, is larger than " +
                            std::to_string(limits_.max_header_bytes) + " bytes.",
                        {}};
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

bool RequestReader::announces_body() const {
  return parser_->http.chunked() || parser_->http.content_length().value_or(0) > 0;
}

std::size_t RequestReader::body_bytes() const { return parser_->http.get().body().size(); }

std::expected<Request, RequestReader::Refusal> RequestReader::take() {
  auto message = parser_->http.release();
  Request request;
  request.verb = verb_of(message.method());
  request.is_http_1_0 = message.version() == 10;
  request.keep_alive = message.keep_alive();
  request.body = std::move(message.body());
  if (message.version() != 10 && message.version() != 11) {
    return std::unexpected(Refusal{505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.", {}});
  }
  std::string host;
  split_target(message.target(), request, host);
  if (!request.path.starts_with('/') && request.path != "*") {
    return std::unexpected(Refusal{400, "The target of the request is no path.", {}});
  }
  for (const auto& field : message) {
    auto name = lower(field.name_string());
    if (name == "host" && !host.empty()) {
      continue;  // the one in the target counts
    }
    if ((name == "host" || name == "authorization" || name == "content-type") && request.has_header(name)) {
      return std::unexpected(Refusal{400, "The header " + name + " is there twice.", {}});
    }
    request.headers.emplace_back(std::move(name), field.value());
  }
  if (!host.empty()) {
    request.headers.emplace_back("host", std::move(host));
  }
  if (!request.is_http_1_0 && !request.has_header("host")) {
    return std::unexpected(Refusal{400, "An HTTP/1.1 request needs a Host.", {}});
  }
  return request;
}

}  // namespace parley::gateway
