#include "service/error_codec.h"

#include <algorithm>

#include "parley/internal/v1/rpc_status.pb.h"
#include "parley/v1/api.pb.h"
#include "service/convert.h"

namespace parley::service {
namespace {

v1::ErrorInfo to_proto(const base::Error& error) {
  v1::ErrorInfo info;
  info.set_reason(error.reason);
  info.set_outcome(error.outcome == base::Outcome::unknown ? v1::OUTCOME_UNKNOWN : v1::OUTCOME_REFUSED);
  info.set_field(error.field);
  info.set_limit(error.limit);
  for (const auto id : error.message_ids) {
    info.add_message_ids(id);
  }
  info.set_retry_after_ms(error.retry_after_ms);
  if (error.server_time_unix_ms != 0) {
    set_time(*info.mutable_server_time(), error.server_time_unix_ms);
  }
  info.set_position(error.position.value());
  return info;
}

}  // namespace

std::string encode_error_info(const base::Error& error) { return to_proto(error).SerializeAsString(); }

std::string encode_status_details(const base::Error& error) {
  internal::v1::RpcStatus status;
  status.set_code(static_cast<int>(error.code));
  status.set_message(error.message);
  status.add_details()->PackFrom(to_proto(error));
  return status.SerializeAsString();
}

std::optional<base::Error> decode_status_details(std::string_view bytes) {
  internal::v1::RpcStatus status;
  if (!status.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return std::nullopt;
  }
  v1::ErrorInfo info;
  const auto detail = std::ranges::find_if(status.details(),
                                           [](const auto& any) { return any.template Is<v1::ErrorInfo>(); });
  if (detail == status.details().end() || !detail->UnpackTo(&info)) {
    return std::nullopt;
  }
  base::Error error;
  error.code = static_cast<base::Code>(status.code());
  error.message = status.message();
  error.outcome = info.outcome() == v1::OUTCOME_REFUSED ? base::Outcome::refused : base::Outcome::unknown;
  error.reason = info.reason();
  error.field = info.field();
  error.limit = info.limit();
  error.message_ids.assign(info.message_ids().begin(), info.message_ids().end());
  error.retry_after_ms = info.retry_after_ms();
  if (info.has_server_time()) {
    error.server_time_unix_ms = info.server_time().seconds() * 1000 + info.server_time().nanos() / 1'000'000;
  }
  error.position = base::Position(info.position());
  return error;
}

}  // namespace parley::service
