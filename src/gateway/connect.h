// The Connect protocol over HTTP/1.1: errors, envelopes, JSON and protobuf, headers. Knows no connection.
// Private to gateway. Owned by: nobody. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "gateway/http.h"
#include "node/chat_node.h"
#include "service/method.h"

namespace parley::gateway {

enum class Codec : std::uint8_t { json, proto };

// "not_found" and so on, and the status of an answer that is no stream.
[[nodiscard]] std::string_view code_name(base::Code code);
[[nodiscard]] unsigned http_status(base::Code code);

// {"code":…,"message":…,"details":[ErrorInfo]}: the body of an error, whatever the request's codec was.
[[nodiscard]] std::string error_json(const base::Error& error);
[[nodiscard]] Response error_response(const base::Error& error);

// How the body is written, by its type; nothing: 415.
[[nodiscard]] std::optional<Codec> unary_codec(std::string_view content_type);
[[nodiscard]] std::optional<Codec> stream_codec(std::string_view content_type);
[[nodiscard]] std::string_view unary_type(Codec codec);
[[nodiscard]] std::string_view stream_type(Codec codec);

// Its headers: protocol version, deadline, compression.
[[nodiscard]] base::Result<std::optional<node::Deadline>> check_headers(const Request& request,
                                                                        service::MethodKind kind);

// What the client sent, as the protobuf bytes that the service takes.
[[nodiscard]] base::Result<std::string> to_proto(service::MethodId method, Codec codec, std::string body);
// What the service answered, in the client's codec.
[[nodiscard]] std::string from_proto(service::MethodId method, Codec codec, std::string response);

// A flag byte, the length, the message.
inline constexpr std::uint8_t kEndOfStream = 0x02;
inline constexpr std::size_t kEnvelopeBytes = 5;
[[nodiscard]] std::string envelope(std::uint8_t flags, std::string_view message);
// The one message of a stream's request.
[[nodiscard]] base::Result<std::string> open_envelope(std::string_view body);
// The last message of a stream, which says why it ended.
[[nodiscard]] std::string end_of_stream(const base::Error& why);

}  // namespace parley::gateway
