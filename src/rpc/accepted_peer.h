// AcceptedPeer: a connection that a peer dialled, on which it sends to this node. Private to rpc. Owned by:
// the list of open ones, and itself while gRPC owes it a completion. The loop's thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "rpc/peer_context.h"
#include "rpc/raw_service.h"

namespace parley::rpc {

class AcceptedPeer;

// What accepted peers need of their transport. Outlives them.
struct AcceptHome {
  PeerContext& context;
  RawService& raw;
  int method_index = 0;
  grpc::ServerCompletionQueue* queue = nullptr;  // tells of new connections; what is on them, the loop's
  std::set<std::shared_ptr<AcceptedPeer>> open;
  std::chrono::steady_clock::time_point minute_began{};
  int told_in_minute = 0;

  // Logs a trouble with whoever dials the first time it is met. Strangers could go on for ever: beyond so
  // many in a minute nothing is told.
  void tell_once(const std::string& trouble);
};

class AcceptedPeer : public std::enable_shared_from_this<AcceptedPeer> {
 public:
  explicit AcceptedPeer(AcceptHome& home) : home_(home), alive_(home.context.alive) {}

  // Waits for the next connection, for ever: each accepted one makes the next one wait.
  static void accept(AcceptHome& home);

  void send_hello();

 private:
  void on_accepted(bool ok);
  void on_read(bool ok);
  void on_written(bool ok);
  void on_finished(bool ok);
  void on_done(bool ok);
  void read();
  // The error refuses the connection.
  [[nodiscard]] std::optional<std::string> take_frame(std::string_view bytes);
  [[nodiscard]] std::optional<std::string> take_hello(const node::Hello& hello);
  void write_hello_if_idle();
  void refuse(const std::string& why);
  void finish_if_idle();
  void settle();

  AcceptHome& home_;
  std::shared_ptr<void> alive_;
  grpc::ServerContext call_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{&call_};
  grpc::ByteBuffer incoming_;
  MemberCompletion<AcceptedPeer> accepted_{*this, &AcceptedPeer::on_accepted};
  MemberCompletion<AcceptedPeer> read_{*this, &AcceptedPeer::on_read};
  MemberCompletion<AcceptedPeer> written_{*this, &AcceptedPeer::on_written};
  MemberCompletion<AcceptedPeer> finished_{*this, &AcceptedPeer::on_finished};
  MemberCompletion<AcceptedPeer> done_{*this, &AcceptedPeer::on_done};
  std::shared_ptr<AcceptedPeer> self_;
  std::optional<raft::Member> from_;  // who said so in its Hello
  std::optional<grpc::Status> end_;   // to finish with
  int owed_ = 0;
  bool is_writing_ = false;
  bool is_done_ = false;
  bool is_finishing_ = false;
  bool hello_waits_ = false;
};

}  // namespace parley::rpc
