// What `parley` prints: results on stdout, trouble on stderr; for people, or as JSON.
// Owned by: nobody. The main thread.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>
#include <string_view>

#include "base/error.h"
#include "parley/v1/api.pb.h"

namespace parley::cli {

// One line on stdout, written at once.
void print_line(std::string_view line);
// "parley: …" on stderr, one line, with nothing that a terminal obeys.
void print_trouble(std::string_view what);
// An error on stderr: for people, or as JSON.
void print_error(const base::Error& error, bool as_json);
// The same of what went wrong after a write: "it is done, but …". It has no outcome, which would tell of the
// write.
void print_done_but(const base::Error& error, bool as_json);

// The API's message as one line of JSON, empty and false fields too.
[[nodiscard]] std::string to_json(const google::protobuf::Message& message);
// {"code":…,"message":…,"details":[ErrorInfo]}, and where asking again is safe "requestId", by which to do
// it.
[[nodiscard]] std::string to_json(const base::Error& error, std::string_view request_id = {});

// `text` as a JSON string, in quotes.
[[nodiscard]] std::string json_string(std::string_view text);
// {"retry":{"server":…,"error":{…}}}: it failed there, and is asked again.
[[nodiscard]] std::string retry_json(std::string_view server, const base::Error& error);

// On stderr, how old a stale answer is: for people, or as {"asOf":…}.
void print_age(const v1::AsOf& as_of, bool as_json);

// Of this machine's time zone: 2026-11-20 21:40:03, or 21:40.
[[nodiscard]] std::string local_time(const google::protobuf::Timestamp& time);
[[nodiscard]] std::string local_clock(const google::protobuf::Timestamp& time);

// A line of a list: id, time, who to whom, whether it was read, and the body, with nothing that a terminal
// obeys.
[[nodiscard]] std::string message_line(const v1::Message& message);

// "12, 15, 19"
template <class Ids>
[[nodiscard]] std::string id_list(const Ids& ids) {
  std::string text;
  for (const auto id : ids) {
    text += (text.empty() ? "" : ", ") + std::to_string(id);
  }
  return text;
}

// For people: what was wrong, and what to do about it where that is known.
[[nodiscard]] std::string describe(const base::Error& error);

}  // namespace parley::cli
