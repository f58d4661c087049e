#include "client/connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>

namespace parley::client {
namespace {

constexpr std::chrono::milliseconds kSecondChance{100};

grpc::ChannelArguments channel_arguments(Keepalive keepalive) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(keepalive.interval.count()));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(keepalive.timeout.count()));
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Retries are ours: only they know which outcome is unknown.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // An HTTP proxy of the environment is for the web, not for nodes on loopback or a private network.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  // Two clients in one process each notice a dead connection for themselves.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

}  // namespace

gpr_timespec to_grpc_deadline(std::chrono::steady_clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - std::chrono::steady_clock::now());
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(left.count(), GPR_TIMESPAN));
}

Connection::Connection(const base::Address& address, Keepalive keepalive)
    : name_(base::to_string(address)),
      channel_(
          grpc::CreateCustomChannel(name_, grpc::InsecureChannelCredentials(), channel_arguments(keepalive))),
      accounts_(v1::AccountService::NewStub(channel_)),
      messages_(v1::MessageService::NewStub(channel_)),
      cluster_(v1::ClusterService::NewStub(channel_)) {}

Connected Connection::connect(std::chrono::steady_clock::time_point deadline) const {
  grpc_connectivity_state state = channel_->GetState(true);
  // An old failure says nothing about now: the server may have come back while the channel waits. gRPC goes
  // on calling it a failure while it dials again, and also when that is refused at once, so only a success
  // can be waited for, and not for long: the channel goes on dialling, and a later call finds it ready.
  if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) {
    grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
    const auto until = std::min<std::chrono::steady_clock::time_point>(
        deadline, std::chrono::steady_clock::now() + kSecondChance);
    if (!channel_->WaitForStateChange(state, to_grpc_deadline(until))) {
      return Connected::refused;
    }
    state = channel_->GetState(true);
  }
  while (state != GRPC_CHANNEL_READY) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) {
      return Connected::refused;
    }
    if (!channel_->WaitForStateChange(state, to_grpc_deadline(deadline))) {
      return Connected::no;
    }
    state = channel_->GetState(true);
  }
  return Connected::yes;
}

}  // namespace parley::client
