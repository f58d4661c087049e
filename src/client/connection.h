// Connection (private): one server's channel and stubs. Owned by: a client. Any thread.
#pragma once

#include <grpc/support/time.h>
#include <grpcpp/channel.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/address.h"
#include "parley/v1/api.grpc.pb.h"

namespace parley::client {

struct Keepalive {
  std::chrono::milliseconds interval{2'000};  // a ping after this long without a word from the server
  std::chrono::milliseconds timeout{1'500};   // and the connection is dead after this long without an answer
};

enum class Connected : std::uint8_t {
  yes,
  refused,  // nobody listens there, or there is no way to it
  no,       // nothing was heard in time
};

// For gRPC, which would take the wall clock's time as well: that one may jump while somebody waits.
[[nodiscard]] gpr_timespec to_grpc_deadline(std::chrono::steady_clock::time_point deadline);

class Connection {
 public:
  Connection(const base::Address& address, Keepalive keepalive);

  // Waits until the channel is ready. Otherwise nothing that was to be sent was sent.
  [[nodiscard]] Connected connect(std::chrono::steady_clock::time_point deadline) const;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] v1::AccountService::Stub& accounts() const { return *accounts_; }
  [[nodiscard]] v1::MessageService::Stub& messages() const { return *messages_; }
  [[nodiscard]] v1::ClusterService::Stub& cluster() const { return *cluster_; }

 private:
  std::string name_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::AccountService::Stub> accounts_;
  std::unique_ptr<v1::MessageService::Stub> messages_;
  std::unique_ptr<v1::ClusterService::Stub> cluster_;
};

}  // namespace parley::client
