#include "rpc/dial.h"

#include <array>
#include <utility>
#include <variant>

#include "node/peer_codec.h"
#include "rpc/bytes.h"

namespace parley::rpc {
namespace {

grpc::ChannelArguments channel_arguments(const PeerTransportOptions& options) {
  grpc::ChannelArguments arguments;
  // Backing off is the link's: every channel connects at once, and shares nothing with the one before.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, static_cast<int>(options.handshake_timeout.count()));
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
                   static_cast<int>(options.handshake_timeout.count()));
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(options.keepalive_interval.count()));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(options.keepalive_timeout.count()));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetMaxReceiveMessageSize(static_cast<int>(node::kMaxFrame_bytes));
  arguments.SetMaxSendMessageSize(-1);
  return arguments;
}

grpc::ByteBuffer frame_of(const node::Hello& hello) {
  const std::array<node::PeerMessage, 1> messages = {hello};
  return to_buffer(node::encode_frame(messages));
}

}  // namespace

Dial::Dial(PeerContext& context, std::shared_ptr<PeerLink> link, std::string address)
    : context_(context), alive_(context.alive), link_(std::move(link)), address_(std::move(address)) {}

void Dial::begin() {
  self_ = shared_from_this();
  channel_ = grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(),
                                       channel_arguments(context_.options));
  grpc::GenericStub stub(channel_);
  const std::string path = std::string("/") + kPeerServiceName + "/" + kPeerMethodName;
  stream_ = stub.PrepareCall(&call_, path, context_.loop->queue());
  is_starting_ = true;
  owed_ = 1;
  stream_->StartCall(&started_);
  context_.loop->post_after(context_.options.handshake_timeout, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->on_handshake_over();
    }
  });
}

void Dial::cancel() { call_.TryCancel(); }

void Dial::on_started(bool ok) {
  is_starting_ = false;
  if (!ok || context_.stopping) {
    is_over_ = true;
  } else {
    write(frame_of(context_.hello));
    read();
  }
  finish_if_idle();
  settle();
}

void Dial::write(const grpc::ByteBuffer& frame) {
  is_writing_ = true;
  ++owed_;
  stream_->Write(frame, &written_);
}

void Dial::read() {
  is_reading_ = true;
  ++owed_;
  stream_->Read(&incoming_, &read_);
}

void Dial::pump() {
  if (is_writing_ || is_starting_ || !is_answered_ || is_over_ || context_.stopping) {
    return;
  }
  if (std::exchange(hello_waits_, false)) {
    write(frame_of(context_.hello));
    return;
  }
  const auto messages = link_->queue()->take_frame();
  if (!messages.empty()) {
    write(to_buffer(node::encode_frame(messages)));
  }
}

void Dial::send_hello() {
  hello_waits_ = true;
  pump();
}

void Dial::on_written(bool ok) {
  is_writing_ = false;
  if (ok) {
    pump();
  } else {
    is_over_ = true;  // the read tells why
  }
  finish_if_idle();
  settle();
}

void Dial::on_read(bool ok) {
  is_reading_ = false;
  if (!ok || context_.stopping) {
    is_over_ = true;
  } else if (!take_frame(FlatBytes(incoming_).view())) {
    is_over_ = true;
    call_.TryCancel();
  } else {
    read();
  }
  finish_if_idle();
  settle();
}

bool Dial::take_frame(std::string_view bytes) {
  const auto messages = node::decode_frame(bytes);
  if (!messages) {
    context_.tell_once("node " + std::to_string(link_->id().value()) + " at " + address_ +
                       " sent a frame that cannot be read: " + messages.error());
    return false;
  }
  for (const auto& message : *messages) {
    const auto* hello = std::get_if<node::Hello>(&message);
    if (hello == nullptr) {
      return false;  // only hellos come on this side
    }
    if (!link_->on_answer(*hello)) {
      return false;
    }
    is_answered_ = true;
  }
  pump();
  return true;
}

void Dial::on_handshake_over() {
  if (!is_answered_) {
    call_.TryCancel();
  }
}

void Dial::finish_if_idle() {
  if (context_.stopping) {
    return;
  }
  if (is_over_ && !is_starting_ && !is_writing_ && !is_reading_ && !std::exchange(is_finishing_, true)) {
    ++owed_;
    stream_->Finish(&status_, &finished_);
  }
}

void Dial::on_finished(bool) {
  const bool is_refused = status_.error_code() == grpc::StatusCode::FAILED_PRECONDITION;
  const bool is_silent = status_.error_message().find("keepalive") != std::string::npos ||
                         status_.error_message().find("ping timeout") != std::string::npos;
  link_->on_dial_ended(is_answered_ && !is_refused, is_silent,
                       is_refused ? status_.error_message() : std::string());
  settle();
}

void Dial::settle() {
  if (--owed_ == 0) {
    link_.reset();
    self_.reset();
  }
}

}  // namespace parley::rpc
