#include "chat/result.h"

#include "base/ensure.h"
#include "chat/errors.h"

namespace parley::chat {
namespace {

using base::Code;
using base::Error;

Error outside_window(bool is_forgotten) {
  if (is_forgotten) {
    return base::outcome_unknown(
        Code::failed_precondition, "REQUEST_ID_FORGOTTEN",
        "This request_id is too old: whether its write was done is no longer known. Look before writing "
        "again with a new one.");
  }
  Error error = base::refused(Code::failed_precondition, "REQUEST_ID_AHEAD",
                              "This request_id lies more than 60 s ahead. Make one by server_time.");
  error.limit = "60 s";
  return error;
}

Error base_error(Verdict verdict) {
  switch (verdict) {
    case Verdict::name_taken: {
      Error error = base::refused(Code::already_exists, "NAME_TAKEN", "This name is taken.");
      error.field = "name";
      return error;
    }
    case Verdict::no_such_recipient:
      return recipient_not_found();
    case Verdict::no_such_messages: {
      Error error = base::refused(Code::not_found, "MESSAGES_NOT_FOUND",
                                  "None of these is a message that you may do this to.");
      error.field = "message_ids";
      return error;
    }
    case Verdict::session_ended:
      return session_ended();
    case Verdict::password_changed:
      return wrong_name_or_password();
    case Verdict::request_id_reused:
    case Verdict::created_before:  // for whom the password does not fit: nothing is told about the first
      return request_id_reused();
    case Verdict::request_id_forgotten:
      return outside_window(true);
    case Verdict::request_id_ahead:
      return outside_window(false);
    case Verdict::done:
      break;
  }
  base::stop_process("a verdict of done has no error");
}

}  // namespace

bool is_final(Verdict verdict) {
  switch (verdict) {
    case Verdict::done:
    case Verdict::name_taken:
    case Verdict::no_such_recipient:
    case Verdict::no_such_messages:
    case Verdict::request_id_forgotten:
      return true;
    case Verdict::session_ended:
    case Verdict::password_changed:
    case Verdict::request_id_reused:
    case Verdict::request_id_ahead:
    case Verdict::created_before:
      return false;
  }
  return false;
}

Error to_error(const CommandResult& result) {
  Error error = base_error(result.verdict);
  if (is_final(result.verdict)) {
    error.position = result.position;
  }
  if (result.verdict == Verdict::request_id_forgotten || result.verdict == Verdict::request_id_ahead) {
    error.field = "request_id";
    error.server_time_unix_ms = result.server_time_unix_ms;
  }
  return error;
}

}  // namespace parley::chat
