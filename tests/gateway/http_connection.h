// HttpConnection: a client's end of one connection of HTTP/1.1, on plain sockets, so that a test can also
// send what no proper client would. Owned by: a test. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace parley::test {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpReply {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  [[nodiscard]] std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

struct Envelope {
  std::uint8_t flags = 0;
  std::string message;
};

class HttpConnection {
 public:
  // `receive_buffer_bytes` 0: the system's. Whoever cannot connect finds a connection that is closed.
  explicit HttpConnection(const std::string& host, std::uint16_t port, int receive_buffer_bytes = 0);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // False: the connection is of no use any more.
  bool send(std::string_view bytes) const;
  bool request(std::string_view verb, std::string_view target, const Headers& headers,
               std::string_view body = {}) const;
  void finish_sending() const;

  // Nothing: the connection ended, or nothing came for a minute.
  [[nodiscard]] std::optional<HttpReply> reply(bool is_head = false);
  // The head alone, of a stream.
  [[nodiscard]] std::optional<HttpReply> reply_head();
  [[nodiscard]] std::optional<Envelope> envelope();
  // After the last envelope: the last chunk is there.
  [[nodiscard]] bool ends();
  // Nothing more comes: the other side has closed.
  [[nodiscard]] bool is_closed_by_peer() const;
  [[nodiscard]] int descriptor() const { return fd_; }

  [[nodiscard]] HttpReply ask(std::string_view verb, std::string_view target, const Headers& headers = {},
                              std::string_view body = {});

 private:
  bool fill();  // reads some more
  [[nodiscard]] std::optional<std::string> line();
  [[nodiscard]] std::optional<std::string> exactly(std::size_t size_bytes);
  [[nodiscard]] std::optional<std::string> chunk();  // empty: the last

  int fd_ = -1;
  std::string host_header_;
  std::string buffer_;
  std::string unchunked_;
};

// {flags, length, message} as bytes.
[[nodiscard]] std::string as_envelope(std::string_view message, std::uint8_t flags = 0);

}  // namespace parley::test
