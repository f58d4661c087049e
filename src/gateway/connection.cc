#include "gateway/connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <utility>

#include "base/request_size.h"
#include "gateway/connect.h"
#include "service/refusals.h"

namespace parley::gateway {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxPieces = 16;            // of one write
constexpr std::size_t kFillBytes = 64UL * 1024;   // taken from a stream's queue at a time
constexpr std::size_t kMaxUnaskedBytes = 16'384;  // that a client sends while its stream runs
constexpr std::size_t kUnchargedBytes = 16'384;   // of an answer

bool would_block(const boost::system::error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again;
}

}  // namespace

Connection::Connection(ConnectionHome& home, std::uint64_t id, asio::ip::tcp::socket socket)
    : home_(home), id_(id), socket_(std::move(socket)) {}

Connection::~Connection() = default;

void Connection::start() {
  deadline_ = Clock::now() + home_.limits.header_timeout;  // a new one has to say something
  wait_readable();
}

void Connection::start_refused(Response response) {
  state_ = State::answering;
  response.close = true;
  respond(std::move(response));
}

void Connection::close() {
  if (std::exchange(state_, State::closed) == State::closed) {
    return;
  }
  release_body();
  if (streaming_) {
    home_.streams -= 1;
    streaming_->outbox->close();
    streaming_->handle.reset();
    streaming_.reset();
  }
  out_ = std::vector<Piece>();
  boost::system::error_code ignored;
  socket_.close(ignored);
  home_.gone(*this);
}

void Connection::drain() {
  if (state_ == State::idle || state_ == State::reading) {
    close();
  } else {
    close_after_ = true;
  }
}

bool Connection::is_due(Time now) const {
  return (deadline_ && *deadline_ <= now) ||
         (streaming_ && streaming_->deadline && *streaming_->deadline <= now);
}

void Connection::on_due(Time now) {
  if (state_ == State::reading) {
    refuse({408, "The request did not come in time.", {}});
  } else if (streaming_ && streaming_->deadline && *streaming_->deadline <= now &&
             !(deadline_ && *deadline_ <= now)) {
    streaming_->deadline.reset();
    streaming_->outbox->finish(
        base::refused(base::Code::deadline_exceeded, "DEADLINE_EXCEEDED", "The stream's deadline has come."));
  } else {
    close();
  }
}

// ---- in ----

void Connection::wait_readable() {
  if (std::exchange(is_waiting_readable_, true)) {
    return;
  }
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->is_waiting_readable_ = false;
                       if (!error) {
                         self->on_readable();
                       }
                     });
}

void Connection::on_readable() {
  if (state_ == State::closed || state_ == State::answering || state_ == State::writing) {
    return;
  }
  boost::system::error_code error;
  const std::size_t size = socket_.read_some(asio::buffer(home_.scratch.data(), home_.scratch.size()), error);
  if (would_block(error)) {
    wait_readable();
    return;
  }
  if (error) {
    close();  // the client has gone, or has nothing more to ask
    return;
  }
  home_.bytes_read += size;
  const std::string_view bytes(home_.scratch.data(), size);
  if (state_ == State::streaming) {
    pending_.append(bytes);
    if (pending_.size() > kMaxUnaskedBytes) {
      close();
      return;
    }
  } else if (state_ != State::lingering) {
    take_bytes(bytes);
  }
  if (state_ == State::idle || state_ == State::reading || state_ == State::streaming ||
      state_ == State::lingering) {
    wait_readable();
  }
}

void Connection::take_bytes(std::string_view bytes) {
  std::string kept;
  if (!pending_.empty()) {
    kept = std::exchange(pending_, {});
    kept.append(bytes);
    bytes = kept;
  }
  while (state_ == State::idle && bytes.starts_with("\r\n")) {
    bytes.remove_prefix(2);  // RFC 9112 2.2: some clients end a request with it
  }
  while (!bytes.empty()) {
    if (!reader_) {
      reader_ = std::make_unique<RequestReader>(
          RequestLimits{home_.limits.max_header_bytes, home_.limits.max_body_bytes});
      state_ = State::reading;
      deadline_ = Clock::now() + home_.limits.header_timeout;
    }
    const bool had_header = reader_->has_header();
    const auto progress = reader_->feed(bytes);
    bytes.remove_prefix(progress.consumed_bytes);
    if (progress.refusal) {
      refuse(*progress.refusal);
      return;
    }
    if ((!had_header && reader_->has_header() && !look_at_header()) || !count_body()) {
      return;
    }
    if (progress.is_done) {
      pending_ = bytes;
      dispatch();
      return;
    }
    if (progress.consumed_bytes == 0) {
      break;
    }
  }
  pending_ = bytes;
}

bool Connection::look_at_header() {
  deadline_ = Clock::now() + home_.limits.body_timeout;
  if (reader_->take_expectation() && reader_->announces_body()) {
    put_out(std::string("HTTP/1.1 100 Continue\r\n\r\n"));
    if (!write_out()) {
      close();  // 25 bytes that do not fit: the client does not read
      return false;
    }
  }
  return true;
}

// What is there counts, not what was announced: a word costs a client nothing.
bool Connection::count_body() {
  const std::size_t size_bytes = reader_->body_bytes();
  home_.coming_body_bytes += size_bytes - std::exchange(counted_body_bytes_, size_bytes);
  const auto& limits = home_.limits;
  const bool is_small = size_bytes <= limits.small_body_bytes;
  if (home_.coming_body_bytes <= limits.max_coming_body_bytes * (is_small ? 2 : 1)) {
    return true;
  }
  refuse({503, "This node is receiving too many large requests; try again or try another node.", {}});
  return false;
}

void Connection::release_body() { home_.coming_body_bytes -= std::exchange(counted_body_bytes_, 0); }

void Connection::refuse(const RequestReader::Refusal& refusal) {
  release_body();
  reader_.reset();
  pending_ = {};
  auto error = base::refused(base::Code::invalid_argument, "MALFORMED_HTTP", refusal.words);
  if (refusal.status == 408) {
    error = base::refused(base::Code::deadline_exceeded, "REQUEST_TOO_SLOW", refusal.words);
  } else if (refusal.status == 413) {
    error = base::request_too_large(refusal.body_bytes);
  } else if (refusal.status == 503) {
    error = base::refused(base::Code::resource_exhausted, "OVERLOADED", refusal.words);
  }
  Response response = error_response(error);
  response.status = refusal.status;
  response.close = true;
  is_head_ = false;
  state_ = State::answering;
  respond(std::move(response));
}

void Connection::dispatch() {
  release_body();
  auto request = reader_->take();
  reader_.reset();
  if (!request) {
    refuse(request.error());
    return;
  }
  state_ = State::answering;
  deadline_.reset();
  is_head_ = request->verb == Verb::head;
  close_after_ = close_after_ || request->is_http_1_0 || !request->keep_alive || home_.is_draining;
  home_.handler.handle(shared_from_this(), *std::move(request));
}

void Connection::begin_next_request() {
  state_ = State::idle;
  deadline_ = Clock::now() + home_.limits.idle_timeout;
  if (pending_.empty()) {
    wait_readable();
    return;
  }
  // Not at once: a client may have sent thousands, each of which would be a level deeper here.
  home_.loop.post([self = shared_from_this()] {
    if (self->state_ != State::idle) {
      return;
    }
    self->take_bytes({});
    if (self->state_ == State::idle || self->state_ == State::reading) {
      self->wait_readable();
    }
  });
}

// ---- out ----

void Connection::respond(Response response) {
  if (state_ != State::answering) {
    return;  // the client has gone
  }
  state_ = State::writing;
  answer_deadline_ = Clock::now() + home_.limits.answer_timeout;
  charge(response);
  home_.answers_by_status[response.status] += 1;
  close_after_ = close_after_ || response.close;
  response.close = close_after_;
  put_out(head_of(response, false));
  if (!is_head_ && !response.bytes().empty()) {
    if (response.shared_body) {
      put_out(std::move(response.shared_body));
    } else if (response.embedded_body.empty()) {
      put_out(std::move(response.body), std::move(response.charge));
    } else {
      out_.push_back({nullptr, response.embedded_body, {}});
    }
  }
  if (write_out()) {
    on_all_written();
  }
}

// Answers of the API have been charged; others may show a client what it has sent, or much of this node.
void Connection::charge(Response& response) const {
  if (response.charge.bytes() > 0 || response.body.size() <= kUnchargedBytes) {
    return;
  }
  if (auto charge = home_.answers->charge_answer(response.body.size())) {
    response.charge = *std::move(charge);
  } else {
    const bool closes = response.close;
    response = error_response(service::overloaded());
    response.close = closes;
  }
}

void Connection::begin_stream(StreamStart start) {
  if (state_ != State::answering) {
    return;
  }
  state_ = State::streaming;
  home_.streams += 1;
  home_.answers_by_status[start.head.status] += 1;
  streaming_ = std::make_unique<Streaming>(Streaming{.outbox = std::move(start.outbox),
                                                     .encode = std::move(start.encode),
                                                     .encode_end = std::move(start.encode_end),
                                                     .handle = nullptr,
                                                     .deadline = start.deadline});
  start.head.close = close_after_;
  put_out(head_of(start.head, true));
  wait_readable();
  (void)write_out();
}

void Connection::keep(std::unique_ptr<service::StreamHandle> handle) {
  if (streaming_ && !streaming_->is_ended) {
    streaming_->handle = std::move(handle);
  }
}

void Connection::wake() {
  if (!streaming_) {
    return;
  }
  streaming_->outbox->awake();
  if (is_waiting_writable_ && streaming_->outbox->is_cut_off()) {
    // Not even the reason can be written now: it gets a while.
    const auto grace_ends = Clock::now() + home_.limits.cut_off_grace;
    deadline_ = deadline_ ? std::min(*deadline_, grace_ends) : grace_ends;
  }
  pump();
}

void Connection::pump() {
  while (state_ == State::streaming && !is_waiting_writable_) {
    fill_from_outbox();
    if (out_.empty()) {
      return;
    }
    if (write_out() && streaming_ && streaming_->is_ended) {
      on_all_written();
    }
  }
}

void Connection::fill_from_outbox() {
  std::size_t size_bytes = 0;
  // Without room one at a time, so that a stream holds no more than it always may.
  while (!streaming_->is_ended && size_bytes < kFillBytes &&
         (size_bytes == 0 || !home_.answers->is_used_up(false))) {
    auto next = streaming_->outbox->next();
    if (next.message) {
      auto charge = std::move(next.message->charge);
      auto bytes = streaming_->encode(std::move(next.message->bytes));
      if (!charge.raise_queued_to(bytes->size())) {  // as JSON it may be six times as large
        streaming_->outbox->cut_off(service::stream_too_slow());
        continue;
      }
      size_bytes += bytes->size();
      put_out(std::move(bytes), std::move(charge));
    } else if (next.end) {
      put_out(streaming_->encode_end(*next.end));
      put_out(std::string(kLastChunk));
      streaming_->is_ended = true;
      streaming_->handle.reset();
    } else {
      return;
    }
  }
}

void Connection::put_out(std::string bytes, service::AnswerCharge charge) {
  put_out(std::make_shared<const std::string>(std::move(bytes)), std::move(charge));
}

void Connection::put_out(SharedBytes bytes, service::AnswerCharge charge) {
  const std::string_view view = *bytes;
  out_.push_back({std::move(bytes), view, std::move(charge)});
}

bool Connection::write_out() {
  while (!out_.empty()) {
    std::array<asio::const_buffer, kMaxPieces> buffers{};
    const std::size_t count = std::min(out_.size(), kMaxPieces);
    for (std::size_t i = 0; i < count; ++i) {
      const auto bytes = i == 0 ? out_[i].bytes.substr(out_written_bytes_) : out_[i].bytes;
      buffers.at(i) = asio::const_buffer(bytes.data(), bytes.size());
    }
    boost::system::error_code error;
    const std::size_t written = socket_.write_some(std::span(buffers.data(), count), error);
    if (would_block(error)) {
      wait_writable();
      return false;
    }
    if (error) {
      close();
      return false;
    }
    home_.bytes_written += written;
    out_written_bytes_ += written;
    std::size_t done = 0;
    while (done < out_.size() && out_written_bytes_ >= out_[done].bytes.size()) {
      out_written_bytes_ -= out_[done].bytes.size();
      ++done;
    }
    out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(done));
  }
  out_ = std::vector<Piece>();  // gives its memory back: most connections are idle
  if (state_ != State::reading) {
    deadline_.reset();
  }
  return true;
}

void Connection::wait_writable() {
  const auto now = Clock::now();
  if (!deadline_ || state_ != State::streaming || !streaming_->outbox->is_cut_off()) {
    deadline_ = now + home_.limits.write_timeout;
  }
  if (state_ == State::streaming && !answer_deadline_ && streaming_->outbox->has_ended()) {
    answer_deadline_ = now + home_.limits.answer_timeout;
  }
  if (answer_deadline_) {
    deadline_ = std::min(*deadline_, *answer_deadline_);  // a byte now and then buys no time
  }
  if (std::exchange(is_waiting_writable_, true)) {
    return;
  }
  socket_.async_wait(asio::ip::tcp::socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->is_waiting_writable_ = false;
                       if (!error) {
                         self->on_writable();
                       }
                     });
}

void Connection::on_writable() {
  if (state_ != State::writing && state_ != State::streaming) {
    return;
  }
  if (!write_out()) {
    return;
  }
  if (state_ == State::streaming && !streaming_->is_ended) {
    pump();
  } else {
    on_all_written();
  }
}

void Connection::on_all_written() {
  answer_deadline_.reset();
  if (streaming_) {
    home_.streams -= 1;
    streaming_->outbox->close();
    streaming_.reset();
  }
  if (close_after_ || home_.is_draining) {
    linger();
  } else {
    begin_next_request();
  }
}

// A connection that is closed while bytes of the client are unread is reset, and the client may lose what it
// was just told. So only our side ends, and what still comes is thrown away for a while.
void Connection::linger() {
  state_ = State::lingering;
  pending_ = {};
  deadline_ = Clock::now() + home_.limits.linger;
  boost::system::error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  if (error) {
    close();
    return;
  }
  wait_readable();
}

}  // namespace parley::gateway
