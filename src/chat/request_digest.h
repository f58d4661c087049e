// The digest of a request's content, without passwords, token and request_id: BLAKE2b-128 of a canonical
// form, its first 8 bytes. The same request_id with another digest is INVALID_ARGUMENT. Owned by: nobody.
// Any thread.
#pragma once

#include <cstdint>

#include "chat/command.h"

namespace parley::chat {

// 0 for the commands that carry no request key. The canonical form, each field little-endian or preceded by
// its length in 4 bytes: the kind (the command's number in command.proto, 1 byte), then
//   CreateAccount: name · LogIn: account · SendMessage: recipient, recipient_id, body
//   MarkRead, DeleteMessages: the ids in the order of the request · the others: nothing
[[nodiscard]] std::uint64_t content_digest(const Command& command);

}  // namespace parley::chat
