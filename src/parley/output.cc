#include "parley/output.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>
#include <google/protobuf/wrappers.pb.h>

#include <cstdio>
#include <ctime>

#include "base/ensure.h"
#include "parley/terminal_text.h"

namespace parley::cli {
namespace {

constexpr std::string_view kBodyIndent = "        ";

std::string local(const google::protobuf::Timestamp& time, std::string_view format) {
  const std::time_t seconds = time.seconds();
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  return fmt::format(fmt::runtime(format), parts);
}

}  // namespace

void print_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

void print_trouble(std::string_view what) {
  fmt::print(stderr, "parley: {}\n", terminal_line(what));
  std::fflush(stderr);
}

void print_error(const base::Error& error, bool as_json) {
  if (as_json) {
    fmt::print(stderr, "{}\n", to_json(error));
    std::fflush(stderr);
  } else {
    print_trouble(describe(error));
  }
}

void print_done_but(const base::Error& error, bool as_json) {
  const std::string message = "it is done, but " + error.message;
  if (!as_json) {
    print_trouble(message);
    return;
  }
  fmt::print(
      stderr, "{}\n",
      fmt::format(R"({{"code":{},"message":{},"details":[{{"reason":{}}}]}})",
                  json_string(base::to_string(error.code)), json_string(message), json_string(error.reason)));
  std::fflush(stderr);
}

std::string to_json(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = false;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  base::ensure(status.ok(), "every message of the API can be printed");
  return terminal_json(json);
}

std::string to_json(const base::Error& error, std::string_view request_id) {
  v1::ErrorInfo info;
  info.set_reason(error.reason);
  info.set_outcome(error.outcome == base::Outcome::refused ? v1::OUTCOME_REFUSED : v1::OUTCOME_UNKNOWN);
  info.set_field(error.field);
  info.set_limit(error.limit);
  info.mutable_message_ids()->Add(error.message_ids.begin(), error.message_ids.end());
  info.set_retry_after_ms(error.retry_after_ms);
  if (error.server_time_unix_ms != 0) {
    *info.mutable_server_time() =
        google::protobuf::util::TimeUtil::MillisecondsToTimestamp(error.server_time_unix_ms);
  }
  info.set_position(error.position.value());
  const std::string again =
      request_id.empty() ? "" : fmt::format(R"(,"requestId":{})", json_string(request_id));
  return fmt::format(R"({{"code":{},"message":{},"details":[{}]{}}})",
                     json_string(base::to_string(error.code)), json_string(error.message), to_json(info),
                     again);
}

std::string json_string(std::string_view text) {
  google::protobuf::StringValue value;
  value.set_value(valid_utf8(text));
  return to_json(value);
}

std::string retry_json(std::string_view server, const base::Error& error) {
  return fmt::format(R"({{"retry":{{"server":{},"error":{}}}}})", json_string(server), to_json(error));
}

void print_age(const v1::AsOf& as_of, bool as_json) {
  if (as_json) {
    fmt::print(stderr, "{{\"asOf\":{}}}\n", to_json(as_of));
  } else if (as_of.has_age_ms()) {
    print_trouble(fmt::format("stale answer: position {}, {} ms old", as_of.position(), as_of.age_ms()));
  } else {
    print_trouble(
        fmt::format("stale answer: position {}, of unknown age: this node has not heard from a majority",
                    as_of.position()));
  }
}

std::string local_time(const google::protobuf::Timestamp& time) {
  return local(time, "{:%Y-%m-%d %H:%M:%S}");
}
std::string local_clock(const google::protobuf::Timestamp& time) { return local(time, "{:%H:%M}"); }

std::string message_line(const v1::Message& message) {
  return fmt::format("[{}] {} {} -> {}{}: {}", message.id(), local_time(message.sent_at()),
                     terminal_line(message.sender()), terminal_line(message.recipient()),
                     message.read() ? "" : " (unread)", terminal_block(message.body(), kBodyIndent));
}

std::string describe(const base::Error& error) {
  std::string text = terminal_line(error.message.empty() ? base::to_string(error.code) : error.message);
  if (!error.limit.empty() && !error.message.contains(error.limit)) {
    text += fmt::format(" (limit: {})", terminal_line(error.limit));
  }
  if (error.code == base::Code::deadline_exceeded) {
    text = "time ran out: " + text;
  }
  return text;
}

}  // namespace parley::cli
