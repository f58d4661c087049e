// Connection: one TCP connection of HTTP/1.1, from its acceptance to its end (docs/gateway.md has the
// states). It holds no buffer while it waits: bytes are read into one of the gateway's, and written at once
// as far as the socket takes them. Private to gateway. Owned by: the gateway's list, and whatever waits for
// its socket. The gateway's thread alone.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/exchange.h"
#include "gateway/gateway.h"
#include "gateway/loop.h"
#include "gateway/request_reader.h"
#include "service/answer.h"

namespace parley::gateway {

class Connection;

// What connections need of their gateway, and count there. Outlives them.
struct ConnectionHome {
  GatewayLimits limits;
  Loop& loop;
  RequestHandler& handler;
  std::span<char> scratch;                // what is read now; nobody keeps it
  std::function<void(Connection&)> gone;  // drops it from the list
  std::shared_ptr<service::AnswerBudget> answers;
  bool is_draining = false;           // no further request on any connection
  std::size_t coming_body_bytes = 0;  // of requests that are coming in
  std::size_t streams = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::map<unsigned, std::uint64_t> answers_by_status;
};

class Connection final : public Exchange, public std::enable_shared_from_this<Connection> {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Connection(ConnectionHome& home, std::uint64_t id, boost::asio::ip::tcp::socket socket);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] std::uint64_t id() const { return id_; }
  void start();
  // Answers before anything was read, and closes.
  void start_refused(Response response);
  void close();
  // Closes if nothing is being answered; else after the answer.
  void drain();
  // Something takes too long: on_due() cuts it off.
  [[nodiscard]] bool is_due(Time now) const;
  void on_due(Time now);

  void respond(Response response) override;
  void begin_stream(StreamStart start) override;
  void keep(std::unique_ptr<service::StreamHandle> handle) override;
  void wake() override;

 private:
  enum class State : std::uint8_t {
    idle,       // no byte of a request is there
    reading,    // a part of one is
    answering,  // it is being carried out; nothing is read
    writing,    // its answer
    streaming,  // its answer goes on until somebody ends it; what is read only shows that the client lives
    lingering,  // the last answer is out; the client may read it before the connection ends
    closed,
  };
  struct Streaming {
    std::shared_ptr<service::Outbox> outbox;
    std::function<SharedBytes(std::string)> encode;
    std::function<SharedBytes(const base::Error&)> encode_end;
    std::unique_ptr<service::StreamHandle> handle;
    std::optional<Time> deadline;
    bool is_ended = false;  // the last chunk is among what is to be written
  };

  // Bytes on their way out: their own, shared with others, or of the program itself.
  struct Piece {
    SharedBytes shared;
    std::string_view bytes;
    service::AnswerCharge charge;
  };

  void wait_readable();
  void wait_writable();
  void on_readable();
  void on_writable();
  void take_bytes(std::string_view bytes);
  // False: the request was refused.
  [[nodiscard]] bool look_at_header();
  [[nodiscard]] bool count_body();
  void release_body();
  void refuse(const RequestReader::Refusal& refusal);
  void dispatch();
  void begin_next_request();

  // Of what nobody has charged yet. Without room for it something smaller is answered.
  void charge(Response& response) const;
  void put_out(std::string bytes, service::AnswerCharge charge = {});
  void put_out(SharedBytes bytes, service::AnswerCharge charge = {});
  // Writes as much as the socket takes. True: all of it is out.
  [[nodiscard]] bool write_out();
  void on_all_written();
  void pump();
  void fill_from_outbox();
  void linger();

  ConnectionHome& home_;
  const std::uint64_t id_;
  boost::asio::ip::tcp::socket socket_;
  State state_ = State::idle;
  bool is_waiting_readable_ = false;
  bool is_waiting_writable_ = false;
  bool close_after_ = false;
  bool is_head_ = false;                 // of the answer nothing but its head is wanted
  std::optional<Time> deadline_;         // of the state
  std::optional<Time> answer_deadline_;  // for the client to take all of an answer
  std::string pending_;                  // read, but not looked at yet
  std::unique_ptr<RequestReader> reader_;
  std::size_t counted_body_bytes_ = 0;  // of this request, in the home
  std::vector<Piece> out_;              // the first may be written in part
  std::size_t out_written_bytes_ = 0;   // of the first
  std::unique_ptr<Streaming> streaming_;
};

}  // namespace parley::gateway
