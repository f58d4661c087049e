// base::Error as the bytes that clients get. Owned by: nobody. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace parley::service {

// An encoded parley.v1.ErrorInfo.
[[nodiscard]] std::string encode_error_info(const base::Error& error);

// An encoded google.rpc.Status with the ErrorInfo in its details: the value of gRPC's trailer
// `grpc-status-details-bin`.
[[nodiscard]] std::string encode_status_details(const base::Error& error);

// Foreign bytes, as encode_status_details makes them. Nothing: they hold no ErrorInfo.
[[nodiscard]] std::optional<base::Error> decode_status_details(std::string_view bytes);

}  // namespace parley::service
