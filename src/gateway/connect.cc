#include "gateway/connect.h"

#include <fmt/format.h>
#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/common.h>
#include <google/protobuf/util/json_util.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/ensure.h"
#include "service/error_codec.h"

namespace parley::gateway {
namespace {

using google::protobuf::Message;

base::Error invalid(std::string reason, std::string message) {
  return base::refused(base::Code::invalid_argument, std::move(reason), std::move(message));
}

std::string base64(std::string_view bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
  text.pop_back();  // the zero behind it
  return text;
}

// The prototypes of every method's messages, by the method's number.
struct Types {
  const Message* request = nullptr;
  const Message* response = nullptr;
};

const Message* prototype(std::string_view method, std::string_view suffix) {
  const std::string name = fmt::format("parley.v1.{}{}", method, suffix);
  const auto* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  base::ensure(type != nullptr, "every method has a request and a response of its name");
  return google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
}

const Types& types_of(service::MethodId method) {
  static const auto all = [] {
    std::vector<Types> types;
    for (const auto& info : service::methods()) {
      types.push_back({prototype(info.name, "Request"), prototype(info.name, "Response")});
    }
    return types;
  }();
  return all.at(method.value() - 1);
}

// "application/json; charset=utf-8" is "application/json"; any other charset is another type.
std::string_view media_type(std::string_view content_type) {
  const auto semicolon = content_type.find(';');
  std::string_view type = content_type.substr(0, semicolon);
  while (type.ends_with(' ')) {
    type.remove_suffix(1);
  }
  if (semicolon == std::string_view::npos) {
    return type;
  }
  std::string parameter;
  for (const char c : content_type.substr(semicolon + 1)) {
    if (c != ' ' && c != '"') {
      parameter += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
  }
  return parameter == "charset=utf-8" || parameter.empty() ? type : std::string_view();
}

bool is_same_type(std::string_view type, std::string_view wanted) {
  return std::ranges::equal(
      type, wanted, {}, [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
}

}  // namespace

std::string_view code_name(base::Code code) {
  constexpr std::array<std::string_view, 17> kNames = {
      "ok",        "canceled",       "unknown",           "invalid_argument",   "deadline_exceeded",
      "not_found", "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
      "aborted",   "out_of_range",   "unimplemented",     "internal",           "unavailable",
      "data_loss", "unauthenticated"};
  return kNames.at(static_cast<std::size_t>(code));
}

unsigned http_status(base::Code code) {
  switch (code) {
    case base::Code::ok:
      return 200;
    case base::Code::cancelled:
      return 499;
    case base::Code::invalid_argument:
    case base::Code::failed_precondition:
    case base::Code::out_of_range:
      return 400;
    case base::Code::unauthenticated:
      return 401;
    case base::Code::permission_denied:
      return 403;
    case base::Code::not_found:
      return 404;
    case base::Code::already_exists:
    case base::Code::aborted:
      return 409;
    case base::Code::resource_exhausted:
      return 429;
    case base::Code::unimplemented:
      return 501;
    case base::Code::unavailable:
      return 503;
    case base::Code::deadline_exceeded:
      return 504;
    case base::Code::unknown:
    case base::Code::internal:
    case base::Code::data_loss:
      return 500;
  }
  return 500;
}

std::string error_json(const base::Error& error) {
  return fmt::format(
      R"({{"code":"{}","message":{},"details":[{{"type":"parley.v1.ErrorInfo","value":"{}"}}]}})",
      code_name(error.code), json_text(error.message), base64(service::encode_error_info(error)));
}

Response error_response(const base::Error& error) {
  Response response;
  response.status = http_status(error.code);
  response.add("Content-Type", "application/json");
  response.add("Cache-Control", "no-store");
  response.body = error_json(error);
  return response;
}

std::optional<Codec> unary_codec(std::string_view content_type) {
  const auto type = media_type(content_type);
  if (is_same_type(type, unary_type(Codec::json))) {
    return Codec::json;
  }
  return is_same_type(type, unary_type(Codec::proto)) ? std::optional(Codec::proto) : std::nullopt;
}

std::optional<Codec> stream_codec(std::string_view content_type) {
  const auto type = media_type(content_type);
  if (is_same_type(type, stream_type(Codec::json))) {
    return Codec::json;
  }
  return is_same_type(type, stream_type(Codec::proto)) ? std::optional(Codec::proto) : std::nullopt;
}

std::string_view unary_type(Codec codec) {
  return codec == Codec::json ? "application/json" : "application/proto";
}

std::string_view stream_type(Codec codec) {
  return codec == Codec::json ? "application/connect+json" : "application/connect+proto";
}

base::Result<std::optional<node::Deadline>> check_headers(const Request& request, service::MethodKind kind) {
  if (const auto version = request.header("connect-protocol-version"); !version.empty() && version != "1") {
    return std::unexpected(invalid("PROTOCOL_VERSION", "Connect-Protocol-Version: only 1 is spoken here."));
  }
  const bool is_unary = kind == service::MethodKind::unary;
  const auto encoding = request.header(is_unary ? "content-encoding" : "connect-content-encoding");
  if (!encoding.empty() && encoding != "identity") {
    return std::unexpected(base::refused(base::Code::unimplemented, "COMPRESSION",
                                         "Compressed requests are not taken; only identity is."));
  }
  if (!request.has_header("connect-timeout-ms")) {
    return std::nullopt;
  }
  const auto text = request.header("connect-timeout-ms");
  std::uint64_t timeout_ms = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), timeout_ms);
  if (text.empty() || text.size() > 10 || failed != std::errc() || end != text.data() + text.size()) {
    return std::unexpected(
        invalid("INVALID_TIMEOUT", "Connect-Timeout-Ms must be a number of 1 to 10 digits."));
  }
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
}

base::Result<std::string> to_proto(service::MethodId method, Codec codec, std::string body) {
  if (codec == Codec::proto) {
    return body;
  }
  const Message& type = *types_of(method).request;
  const auto malformed = [&type](std::string_view why) {
    return std::unexpected(invalid(
        "MALFORMED_REQUEST", fmt::format("The JSON does not parse as {}: {}.", type.GetTypeName(), why)));
  };
  if (body.empty()) {
    return malformed("it is empty; a message without fields is {}");
  }
  if (!google::protobuf::internal::IsStructurallyValidUTF8(body.data(), static_cast<int>(body.size()))) {
    return std::unexpected(invalid("INVALID_UTF8", "The JSON is not valid UTF-8."));
  }
  google::protobuf::Arena arena;
  Message& message = *type.New(&arena);
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto parsed = google::protobuf::util::JsonStringToMessage(body, &message, options);
  if (!parsed.ok()) {
    return malformed(std::string_view(parsed.message().data(), parsed.message().size()));
  }
  return message.SerializePartialAsString();
}

std::string from_proto(service::MethodId method, Codec codec, std::string response) {
  if (codec == Codec::proto) {
    return response;
  }
  google::protobuf::Arena arena;
  Message& message = *types_of(method).response->New(&arena);
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string json;
  const bool is_written = message.ParseFromString(response) &&
                          google::protobuf::util::MessageToJsonString(message, &json, options).ok();
  base::ensure(is_written, "what the service answers can be written as JSON");
  return json;
}

std::string envelope(std::uint8_t flags, std::string_view message) {
  std::string bytes;
  bytes.reserve(kEnvelopeBytes + message.size());
  bytes.push_back(static_cast<char>(flags));
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    bytes.push_back(static_cast<char>((message.size() >> shift) & 0xffU));
  }
  bytes.append(message);
  return bytes;
}

base::Result<std::string> open_envelope(std::string_view body) {
  if (body.size() < kEnvelopeBytes) {
    return std::unexpected(invalid("MALFORMED_REQUEST",
                                   "The request of a stream is one envelope: a flag byte, a length of four "
                                   "bytes, the message."));
  }
  if (body[0] != 0) {
    return std::unexpected(
        (body[0] & 1) != 0
            ? base::refused(base::Code::unimplemented, "COMPRESSION", "Compressed requests are not taken.")
            : invalid("MALFORMED_REQUEST", "The request's envelope has flags that mean nothing there."));
  }
  std::size_t size_bytes = 0;
  for (const char c : body.substr(1, 4)) {
    size_bytes = (size_bytes << 8U) | static_cast<unsigned char>(c);
  }
  if (size_bytes != body.size() - kEnvelopeBytes) {
    return std::unexpected(
        invalid("MALFORMED_REQUEST",
                fmt::format("The request's envelope tells {} bytes, and {} are there; one message "
                            "is what a stream is asked with.",
                            size_bytes, body.size() - kEnvelopeBytes)));
  }
  return std::string(body.substr(kEnvelopeBytes));
}

std::string end_of_stream(const base::Error& why) {
  return envelope(kEndOfStream, fmt::format(R"({{"error":{}}})", error_json(why)));
}

}  // namespace parley::gateway
