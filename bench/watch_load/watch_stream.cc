#include "watch_load/watch_stream.h"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace parley::bench {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kEnvelopeHead_bytes = 5;
constexpr std::uint8_t kEndOfStream = 0x02;
constexpr milliseconds kMostPause{300};  // before another node is asked: not all at once

std::string envelope(const std::string& message) {
  std::string bytes(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes += static_cast<char>((message.size() >> static_cast<unsigned>(shift)) & 0xffU);
  }
  return bytes + message;
}

std::size_t length_of(const std::string& head) {
  std::size_t length = 0;
  for (std::size_t i = 1; i < kEnvelopeHead_bytes; ++i) {
    length = (length << 8U) | static_cast<unsigned char>(head[i]);
  }
  return length;
}

}  // namespace

WatchStream::WatchStream(asio::io_context& loop, StreamOwner& owner, StreamTarget target, std::uint32_t seed)
    : owner_(owner), target_(std::move(target)), socket_(loop), timer_(loop), random_(seed) {}

std::string WatchStream::request() const {
  v1::WatchRequest watch;
  if (position_) {
    watch.set_after_position(*position_);
    watch.set_cluster_id(cluster_id_);
  }
  const std::string body = envelope(watch.SerializeAsString());
  const auto& server = target_.servers[server_];
  return fmt::format(
      "POST /parley.v1.MessageService/Watch HTTP/1.1\r\nHost: {}:{}\r\nContent-Type: "
      "application/connect+proto\r\n"
      "Connect-Protocol-Version: 1\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{}",
      server.address().to_string(), server.port(), target_.token, body.size(), body);
}

void WatchStream::start(std::size_t server) {
  server_ = server;
  ask();
}

void WatchStream::stop() {
  stopped_ = true;
  ++life_;
  boost::system::error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
}

void WatchStream::ask() {
  const std::uint64_t life = ++life_;
  boost::system::error_code ignored;
  socket_.close(ignored);
  unparsed_.clear();
  envelopes_.clear();
  served_ = false;
  parser_.emplace();
  parser_->body_limit(boost::none);
  parser_->eager(true);
  socket_.async_connect(target_.servers[server_], [this, life](const boost::system::error_code& error) {
    if (life != life_) {
      return;
    }
    if (error) {
      lose("connect: " + error.message());
      return;
    }
    out_ = request();
    asio::async_write(socket_, asio::buffer(out_),
                      [this, life](const boost::system::error_code& failed, std::size_t) {
                        if (life != life_) {
                          return;
                        }
                        if (failed) {
                          lose("write: " + failed.message());
                          return;
                        }
                        out_.clear();
                        read();
                      });
  });
}

void WatchStream::read() {
  const std::uint64_t life = life_;
  socket_.async_read_some(asio::buffer(in_),
                          [this, life](const boost::system::error_code& error, std::size_t size_bytes) {
                            if (life != life_) {
                              return;
                            }
                            if (error) {
                              lose("read: " + error.message());
                              return;
                            }
                            take(size_bytes);
                          });
}

void WatchStream::take(std::size_t size_bytes) {
  unparsed_.append(in_.data(), size_bytes);
  while (!unparsed_.empty()) {
    boost::system::error_code error;
    const std::size_t parsed = parser_->put(asio::buffer(unparsed_), error);
    unparsed_.erase(0, parsed);
    if (error == http::error::need_more || (!error && parsed == 0)) {
      break;
    }
    if (error) {
      lose("answer: " + error.message());
      return;
    }
  }
  if (parser_->is_header_done() && parser_->get().result() != http::status::ok) {
    lose(fmt::format("status {}", parser_->get().result_int()));
    return;
  }
  envelopes_ += std::exchange(parser_->get().body(), {});
  if (take_envelopes()) {
    read();
  }
}

bool WatchStream::take_envelopes() {
  std::size_t at = 0;
  while (envelopes_.size() - at >= kEnvelopeHead_bytes) {
    const std::string head = envelopes_.substr(at, kEnvelopeHead_bytes);
    const std::size_t length = length_of(head);
    if (envelopes_.size() - at < kEnvelopeHead_bytes + length) {
      break;
    }
    const std::string message = envelopes_.substr(at + kEnvelopeHead_bytes, length);
    at += kEnvelopeHead_bytes + length;
    if ((static_cast<std::uint8_t>(head[0]) & kEndOfStream) != 0) {
      lose("ended: " + message);
      return false;
    }
    v1::WatchResponse response;
    if (!response.ParseFromString(message)) {
      lose("an event that does not parse");
      return false;
    }
    take_response(response);
  }
  envelopes_.erase(0, at);
  return true;
}

void WatchStream::take_response(const v1::WatchResponse& response) {
  if (!served_) {
    served_ = true;
    owner_.on_served(lost_at_ ? std::optional(steady_clock::now() - *lost_at_) : std::nullopt);
  }
  if (response.has_heartbeat()) {
    cluster_id_ = response.heartbeat().as_of().cluster_id();
  } else if (response.has_resync()) {
    owner_.on_resync();
  } else {
    given_.push_back(response.position());
    owner_.on_event(response.position());
  }
  position_ = response.position();
}

void WatchStream::lose(const std::string& why) {
  const std::uint64_t life = ++life_;
  boost::system::error_code ignored;
  socket_.close(ignored);
  if (served_) {
    lost_at_ = steady_clock::now();
  }
  owner_.on_lost(std::exchange(served_, false), why);
  if (stopped_) {
    return;
  }
  if (target_.servers.size() > 1) {
    server_ = (server_ + 1 + random_() % (target_.servers.size() - 1)) % target_.servers.size();
  }
  timer_.expires_after(milliseconds(random_() % static_cast<unsigned>(kMostPause.count())));
  timer_.async_wait([this, life](const boost::system::error_code& error) {
    if (!error && life == life_) {
      ask();
    }
  });
}

}  // namespace parley::bench
