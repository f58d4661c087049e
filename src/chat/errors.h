// The chat's errors that more than one place gives, worded once. Owned by: nobody. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace parley::chat {

// One and the same for an unknown name and a wrong password.
[[nodiscard]] base::Error wrong_name_or_password();
// A token that this cluster does not know, or whose session has ended or expired.
[[nodiscard]] base::Error session_ended();
[[nodiscard]] base::Error account_not_found(std::string_view field = "name");
[[nodiscard]] base::Error recipient_not_found();
[[nodiscard]] base::Error conversation_not_found();
// ListMessages takes one of the two.
[[nodiscard]] base::Error both_peer_and_conversation();
// The same request_id with another content (for CreateAccount also: with another password).
[[nodiscard]] base::Error request_id_reused();
// A page token of another account, query or cluster, or garbage.
[[nodiscard]] base::Error bad_page_token();
// The state file of this node cannot be read; another node may answer.
[[nodiscard]] base::Error state_unreadable(std::string_view why);

}  // namespace parley::chat
