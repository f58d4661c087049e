#include "tests/gateway/http_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace parley::test {
namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

}  // namespace

HttpConnection::HttpConnection(const std::string& host, std::uint16_t port, int receive_buffer_bytes)
    : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), host_header_(host + ":" + std::to_string(port)) {
  const timeval patience{.tv_sec = 60, .tv_usec = 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (receive_buffer_bytes != 0) {
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(std::exchange(fd_, -1));
  }
}

HttpConnection::~HttpConnection() {
  if (fd_ >= 0) {
    close(fd_);
  }
}

bool HttpConnection::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool HttpConnection::request(std::string_view verb, std::string_view target, const Headers& headers,
                             std::string_view body) const {
  std::string text = std::string(verb) + " " + std::string(target) + " HTTP/1.1\r\n";
  if (std::ranges::find(headers, "Host", &std::pair<std::string, std::string>::first) == headers.end()) {
    text += "Host: " + host_header_ + "\r\n";
  }
  for (const auto& [name, value] : headers) {
    text += name + ": " + value + "\r\n";
  }
  if (!body.empty() || verb == "POST") {
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  text += "\r\n";
  text += body;
  return send(text);
}

void HttpConnection::finish_sending() const { shutdown(fd_, SHUT_WR); }

bool HttpConnection::fill() {
  std::array<char, 16'384> some{};
  const auto size = recv(fd_, some.data(), some.size(), 0);
  if (size <= 0) {
    return false;
  }
  buffer_.append(some.data(), static_cast<std::size_t>(size));
  return true;
}

std::optional<std::string> HttpConnection::line() {
  auto end = buffer_.find("\r\n");
  while (end == std::string::npos) {
    if (!fill()) {
      return std::nullopt;
    }
    end = buffer_.find("\r\n");
  }
  std::string text = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return text;
}

std::optional<std::string> HttpConnection::exactly(std::size_t size_bytes) {
  while (buffer_.size() < size_bytes) {
    if (!fill()) {
      return std::nullopt;
    }
  }
  std::string bytes = buffer_.substr(0, size_bytes);
  buffer_.erase(0, size_bytes);
  return bytes;
}

std::optional<std::string> HttpConnection::chunk() {
  const auto size_text = line();
  std::size_t size_bytes = 0;
  if (!size_text ||
      std::from_chars(size_text->data(), size_text->data() + size_text->size(), size_bytes, 16).ec !=
          std::errc()) {
    return std::nullopt;
  }
  auto bytes = exactly(size_bytes);
  const auto end = line();
  return bytes && end && end->empty() ? bytes : std::nullopt;
}

std::optional<HttpReply> HttpConnection::reply_head() {
  const auto first = line();
  if (!first || !first->starts_with("HTTP/1.1 ") || first->size() < 12) {
    return std::nullopt;
  }
  HttpReply reply;
  std::from_chars(first->data() + 9, first->data() + 12, reply.status);
  for (auto field = line(); !field || !field->empty(); field = line()) {
    const auto colon = field ? field->find(": ") : std::string::npos;
    if (colon == std::string::npos) {
      return std::nullopt;
    }
    reply.headers[lower(field->substr(0, colon))] = field->substr(colon + 2);
  }
  return reply;
}

std::optional<HttpReply> HttpConnection::reply(bool is_head) {
  auto reply = reply_head();
  if (!reply || is_head || reply->status == 204 || reply->status == 304 || reply->status == 100) {
    return reply;
  }
  if (reply->header("transfer-encoding") == "chunked") {
    for (auto part = chunk(); !part || !part->empty(); part = chunk()) {
      if (!part) {
        return std::nullopt;
      }
      reply->body += *part;
    }
    return reply;
  }
  const std::string length = reply->header("content-length");
  auto body = exactly(length.empty() ? 0 : std::stoul(length));
  if (!body) {
    return std::nullopt;
  }
  reply->body = *std::move(body);
  return reply;
}

std::optional<Envelope> HttpConnection::envelope() {
  const auto have = [this](std::size_t size_bytes) {
    while (unchunked_.size() < size_bytes) {
      const auto part = chunk();
      if (!part || part->empty()) {
        return false;
      }
      unchunked_ += *part;
    }
    return true;
  };
  if (!have(5)) {
    return std::nullopt;
  }
  std::size_t size_bytes = 0;
  for (std::size_t i = 1; i < 5; ++i) {
    size_bytes = (size_bytes << 8U) | static_cast<unsigned char>(unchunked_[i]);
  }
  if (!have(5 + size_bytes)) {
    return std::nullopt;
  }
  Envelope envelope{static_cast<std::uint8_t>(unchunked_[0]), unchunked_.substr(5, size_bytes)};
  unchunked_.erase(0, 5 + size_bytes);
  return envelope;
}

bool HttpConnection::ends() {
  if (!unchunked_.empty()) {
    return false;
  }
  const auto last = chunk();
  return last && last->empty();
}

bool HttpConnection::is_closed_by_peer() const {
  std::array<char, 4'096> some{};
  ssize_t size = 1;
  while (size > 0) {
    size = recv(fd_, some.data(), some.size(), 0);
  }
  return size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

HttpReply HttpConnection::ask(std::string_view verb, std::string_view target, const Headers& headers,
                              std::string_view body) {
  if (!request(verb, target, headers, body)) {
    return {};
  }
  return reply(verb == "HEAD").value_or(HttpReply{});
}

std::string as_envelope(std::string_view message, std::uint8_t flags) {
  std::string bytes(1, static_cast<char>(flags));
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    bytes.push_back(static_cast<char>((message.size() >> shift) & 0xffU));
  }
  return bytes.append(message);
}

}  // namespace parley::test
