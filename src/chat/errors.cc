#include "chat/errors.h"

namespace parley::chat {

using base::Code;
using base::Error;
using base::refused;

Error wrong_name_or_password() {
  return refused(Code::unauthenticated, "WRONG_NAME_OR_PASSWORD", "Wrong name or password.");
}

Error session_ended() {
  return refused(Code::unauthenticated, "SESSION_ENDED", "The session has ended. Log in again.");
}

Error account_not_found(std::string_view field) {
  Error error = refused(Code::not_found, "ACCOUNT_NOT_FOUND", "Account does not exist.");
  error.field = field;
  return error;
}

Error recipient_not_found() {
  Error error = refused(Code::not_found, "RECIPIENT_NOT_FOUND", "Recipient does not exist.");
  error.field = "recipient";
  return error;
}

Error conversation_not_found() {
  Error error = refused(Code::not_found, "CONVERSATION_NOT_FOUND", "Conversation does not exist.");
  error.field = "conversation_id";
  return error;
}

Error both_peer_and_conversation() {
  Error error =
      refused(Code::invalid_argument, "PEER_AND_CONVERSATION", "Name a peer or a conversation_id, not both.");
  error.field = "conversation_id";
  return error;
}

Error request_id_reused() {
  Error error = refused(Code::invalid_argument, "REQUEST_ID_REUSED",
                        "This request_id was used for another request. Make a new one for each write.");
  error.field = "request_id";
  return error;
}

Error bad_page_token() {
  Error error = refused(Code::invalid_argument, "INVALID_PAGE_TOKEN",
                        "This page_token belongs to another request. Start again without one.");
  error.field = "page_token";
  return error;
}

Error state_unreadable(std::string_view why) {
  return refused(Code::unavailable, "STATE_UNREADABLE",
                 "This node cannot read its state: " + std::string(why));
}

}  // namespace parley::chat
