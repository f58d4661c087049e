#include "rpc/accepted_peer.h"

#include <array>
#include <utility>
#include <variant>
#include <vector>

#include "node/peer_codec.h"
#include "rpc/bytes.h"

namespace parley::rpc {

void AcceptHome::tell_once(const std::string& trouble) {
  constexpr int kMostInAMinute = 100;
  const auto now = std::chrono::steady_clock::now();
  if (now - minute_began >= std::chrono::minutes(1)) {
    minute_began = now;
    told_in_minute = 0;
  }
  if (told_in_minute < kMostInAMinute && !context.told.contains(trouble)) {
    ++told_in_minute;
    context.tell_once(trouble);
  }
}

void AcceptedPeer::accept(AcceptHome& home) {
  if (home.context.stopping) {
    return;
  }
  auto next = std::make_shared<AcceptedPeer>(home);
  next->self_ = next;
  next->call_.AsyncNotifyWhenDone(&next->done_);
  home.raw.request_both_streams(home.method_index, next->call_, next->stream_, home.context.loop->queue(),
                                home.queue, &next->accepted_);
}

void AcceptedPeer::on_accepted(bool ok) {
  if (!ok) {
    self_.reset();  // gRPC then never tells that it is done
    return;
  }
  owed_ = 1;  // on_done
  accept(home_);
  home_.open.insert(shared_from_this());
  read();
}

void AcceptedPeer::send_hello() {
  if (from_) {
    hello_waits_ = true;
    write_hello_if_idle();
  }
}

void AcceptedPeer::read() {
  if (home_.context.stopping || is_done_) {
    return;
  }
  ++owed_;
  stream_.Read(&incoming_, &read_);
}

void AcceptedPeer::on_read(bool ok) {
  if (!ok) {
    end_ = grpc::Status::OK;  // the peer has closed it
  } else if (!home_.context.stopping && !is_done_) {
    if (const auto why = take_frame(FlatBytes(incoming_).view())) {
      refuse(*why);
    } else {
      read();
    }
  }
  finish_if_idle();
  settle();
}

std::optional<std::string> AcceptedPeer::take_frame(std::string_view bytes) {
  auto messages = node::decode_frame(bytes);
  if (!messages) {
    home_.tell_once("a frame on the peer port cannot be read: " + messages.error());
    return "the frame cannot be read: " + messages.error();
  }
  std::vector<node::PeerMessage> said;
  said.reserve(messages->size());
  for (auto& message : *messages) {
    if (const auto* hello = std::get_if<node::Hello>(&message)) {
      if (auto why = take_hello(*hello)) {
        return why;
      }
    } else if (from_) {
      said.push_back(std::move(message));
    } else {
      return "a connection begins with a Hello";
    }
  }
  if (!said.empty()) {
    home_.context.handler->on_messages(*from_, std::move(said));
  }
  return std::nullopt;
}

std::optional<std::string> AcceptedPeer::take_hello(const node::Hello& hello) {
  if (from_ && *from_ != hello.self) {
    return "a connection belongs to one life of one node";
  }
  if (const auto taken = home_.context.handler->on_hello(hello); !taken) {
    home_.tell_once("node " + std::to_string(hello.self.id.value()) + " at " + hello.peer_address +
                    " is refused: " + taken.error());
    return taken.error();
  }
  if (!from_) {
    from_ = hello.self;
    send_hello();
  }
  return std::nullopt;
}

void AcceptedPeer::write_hello_if_idle() {
  if (is_writing_ || is_done_ || end_ || home_.context.stopping || !std::exchange(hello_waits_, false)) {
    return;
  }
  const std::array<node::PeerMessage, 1> messages = {home_.context.hello};
  is_writing_ = true;
  ++owed_;
  stream_.Write(to_buffer(node::encode_frame(messages)), &written_);
}

void AcceptedPeer::on_written(bool ok) {
  is_writing_ = false;
  if (ok) {
    write_hello_if_idle();
  }
  finish_if_idle();
  settle();
}

void AcceptedPeer::refuse(const std::string& why) {
  end_ = grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, why);
}

void AcceptedPeer::finish_if_idle() {
  if (!end_ || is_writing_ || is_done_ || home_.context.stopping || std::exchange(is_finishing_, true)) {
    return;
  }
  ++owed_;
  stream_.Finish(*end_, &finished_);
}

void AcceptedPeer::on_finished(bool) { settle(); }

void AcceptedPeer::on_done(bool) {
  is_done_ = true;
  home_.open.erase(shared_from_this());
  settle();
}

void AcceptedPeer::settle() {
  if (--owed_ == 0) {
    self_.reset();
  }
}

}  // namespace parley::rpc
