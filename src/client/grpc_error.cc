#include "client/grpc_error.h"

#include <google/protobuf/util/time_util.h>

#include <optional>

#include "parley/internal/v1/rpc_status.pb.h"
#include "parley/v1/api.pb.h"

namespace parley::client {
namespace {

std::optional<v1::ErrorInfo> find_error_info(const std::string& details) {
  internal::v1::RpcStatus status;
  if (details.empty() || !status.ParseFromString(details)) {
    return std::nullopt;
  }
  for (const auto& detail : status.details()) {
    v1::ErrorInfo info;
    if (detail.Is<v1::ErrorInfo>() && detail.UnpackTo(&info)) {
      return info;
    }
  }
  return std::nullopt;
}

base::Code to_code(grpc::StatusCode code) {
  const int number = static_cast<int>(code);
  return number >= 0 && number <= 16 ? static_cast<base::Code>(number) : base::Code::unknown;
}

// Another cluster's nodes say this of our token, before they look at anything else.
constexpr const char* kTokenOfAnotherCluster = "TOKEN_MALFORMED";

// A server of gRPC that has no such method says so in no words, before anybody sees the request: on a peer
// port, say. Nodes give their own errors ErrorInfo. The library on this side uses the same code, with words
// of its own, for an answer that it cannot read: that write may have been done.
bool knows_no_such_call(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNIMPLEMENTED && status.error_message().empty() &&
         status.error_details().empty();
}

}  // namespace

AttemptError to_attempt_error(const grpc::Status& status, const std::string& server) {
  if (knows_no_such_call(status)) {
    return {.error = base::refused(base::Code::unimplemented, kNoClientPort,
                                   server + " does not take clients' calls; is it a peer port?"),
            .reached = Reached::answered,
            .is_stranger = true};
  }
  AttemptError attempt;
  base::Error& error = attempt.error;
  error.code = to_code(status.error_code());
  error.message = status.error_message();
  const auto info = find_error_info(status.error_details());
  if (!info) {
    error.outcome = base::Outcome::unknown;
    if (error.message.empty()) {
      error.message = base::to_string(error.code) + " without an explanation";
    }
    return attempt;
  }
  attempt.reached = Reached::answered;
  attempt.is_stranger = info->reason() == kTokenOfAnotherCluster;
  error.outcome = info->outcome() == v1::OUTCOME_REFUSED ? base::Outcome::refused : base::Outcome::unknown;
  error.reason = info->reason();
  error.field = info->field();
  error.limit = info->limit();
  error.message_ids.assign(info->message_ids().begin(), info->message_ids().end());
  error.retry_after_ms = info->retry_after_ms();
  if (info->has_server_time()) {
    error.server_time_unix_ms =
        google::protobuf::util::TimeUtil::TimestampToMilliseconds(info->server_time());
  }
  error.position = base::Position(info->position());
  return attempt;
}

}  // namespace parley::client
