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

}  // namespace

AttemptError to_attempt_error(const grpc::Status& status) {
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
