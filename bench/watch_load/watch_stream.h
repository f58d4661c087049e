// WatchStream: one account's Watch over Connect streaming (HTTP/1.1, protobuf), carried on from node to node
// by after_position, and everything it was given. Owned by: Watchers. Its loop's thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "parley/v1/api.pb.h"

namespace parley::bench {

// Told by its streams. The loop's thread.
class StreamOwner {
 public:
  virtual ~StreamOwner() = default;
  // A node serves it. `since_lost`: since another one was lost; nothing: it is the first.
  virtual void on_served(std::optional<std::chrono::nanoseconds> since_lost) = 0;
  virtual void on_event(std::uint64_t position) = 0;
  // The node is gone, or (`was_served` is false) could not be had.
  virtual void on_lost(bool was_served, const std::string& why) = 0;
  virtual void on_resync() = 0;
};

struct StreamTarget {
  std::vector<boost::asio::ip::tcp::endpoint> servers;
  std::string token;
};

class WatchStream {
 public:
  WatchStream(boost::asio::io_context& loop, StreamOwner& owner, StreamTarget target, std::uint32_t seed);

  // Asks this node; when that fails or ends, one of the others, a random moment later.
  void start(std::size_t server);
  void stop();

  // Positions of all events but heartbeats, as they came. After the loop has ended.
  [[nodiscard]] const std::vector<std::uint64_t>& given() const { return given_; }

 private:
  using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

  [[nodiscard]] std::string request() const;
  void ask();
  void read();
  void take(std::size_t size_bytes);
  // False: the stream has ended.
  [[nodiscard]] bool take_envelopes();
  void take_response(const v1::WatchResponse& response);
  void lose(const std::string& why);

  StreamOwner& owner_;
  const StreamTarget target_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  std::minstd_rand random_;
  std::size_t server_ = 0;
  std::uint64_t life_ = 0;  // of the present connection: what an older one still calls back is dropped
  bool stopped_ = false;
  bool served_ = false;
  std::optional<std::chrono::steady_clock::time_point> lost_at_;  // a node that had served it
  std::string out_;
  std::array<char, 4096> in_{};
  std::string unparsed_;
  std::string envelopes_;
  std::optional<Parser> parser_;
  std::optional<std::uint64_t> position_;
  std::string cluster_id_;
  std::vector<std::uint64_t> given_;
};

}  // namespace parley::bench
