// Dial: one attempt to reach a peer at one address, and the connection that comes of it. Private to rpc.
// Owned by: its link, and itself while gRPC owes it a completion. The loop's thread.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "rpc/peer_link.h"

namespace parley::rpc {

class Dial : public std::enable_shared_from_this<Dial> {
 public:
  Dial(PeerContext& context, std::shared_ptr<PeerLink> link, std::string address);

  [[nodiscard]] const std::string& address() const { return address_; }
  void begin();
  // Sends what waits in the link's queue, once the peer has answered.
  void pump();
  void send_hello();
  void cancel();

 private:
  void write(const grpc::ByteBuffer& frame);
  void read();
  void on_started(bool ok);
  void on_written(bool ok);
  void on_read(bool ok);
  [[nodiscard]] bool take_frame(std::string_view bytes);
  void on_handshake_over();
  // Asks gRPC how it ended, once nothing else is under way.
  void finish_if_idle();
  void on_finished(bool ok);
  void settle();

  PeerContext& context_;
  std::shared_ptr<void> alive_;
  std::shared_ptr<PeerLink> link_;
  const std::string address_;
  grpc::ClientContext call_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer incoming_;
  grpc::Status status_;
  MemberCompletion<Dial> started_{*this, &Dial::on_started};
  MemberCompletion<Dial> written_{*this, &Dial::on_written};
  MemberCompletion<Dial> read_{*this, &Dial::on_read};
  MemberCompletion<Dial> finished_{*this, &Dial::on_finished};
  std::shared_ptr<Dial> self_;
  int owed_ = 0;
  bool is_starting_ = false;
  bool is_writing_ = false;
  bool is_reading_ = false;
  bool is_answered_ = false;
  bool is_over_ = false;  // no operation is begun any more
  bool is_finishing_ = false;
  bool hello_waits_ = false;
};

}  // namespace parley::rpc
