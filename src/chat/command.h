// Commands: what the log carries to the state machine, one command an entry. Everything that is random or
// costly (ids, token hashes, argon2id) was done before the proposal. Owned by: nobody, values. Any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/uuid7.h"
#include "chat/types.h"

namespace parley::chat {

// Names a write for retries (design.md, request_id). The digest is of the request without passwords, in the
// canonical form that chat/request_digest.h defines: the same id with another digest is INVALID_ARGUMENT.
struct RequestKey {
  base::RequestId id;
  std::uint64_t content_digest = 0;
  bool operator==(const RequestKey&) const = default;
};

// Who asks. Checked again at apply (rule 4).
struct Authority {
  AccountId account;
  SessionHash session;
  bool operator==(const Authority&) const = default;
};

struct CreateAccount {
  RequestKey request;
  std::string name;           // folded to lower case
  std::string password_hash;  // libsodium's argon2id string
  SessionHash session;
  bool operator==(const CreateAccount&) const = default;
};
// The password was checked against this version. The API gives a log-in no request_id; the node makes one for
// each attempt all the same, so that the same bytes proposed twice never bring an ended session back.
struct LogIn {
  RequestKey request;
  AccountId account;
  PasswordVersion checked;
  SessionHash session;
  bool operator==(const LogIn&) const = default;
};
struct LogOut {
  RequestKey request;
  Authority authority;
  bool operator==(const LogOut&) const = default;
};
struct ChangePassword {
  RequestKey request;
  Authority authority;
  PasswordVersion checked;
  std::string new_password_hash;
  bool operator==(const ChangePassword&) const = default;
};
struct DeleteAccount {
  RequestKey request;
  Authority authority;
  PasswordVersion checked;
  bool operator==(const DeleteAccount&) const = default;
};
struct SendMessage {
  RequestKey request;
  Authority authority;
  std::string recipient;   // folded to lower case
  AccountId recipient_id;  // none: whoever has the name
  std::string body;
  bool operator==(const SendMessage&) const = default;
};
struct MarkRead {
  RequestKey request;
  Authority authority;
  std::vector<MessageId> message_ids;  // 1 to kMaxIdsPerRequest, each once
  bool operator==(const MarkRead&) const = default;
};
struct DeleteMessages {
  RequestKey request;
  Authority authority;
  std::vector<MessageId> message_ids;
  bool operator==(const DeleteMessages&) const = default;
};
// A bounded step of clearing up: rows of deleted accounts, expired sessions, forgotten results (rule 9).
// Proposed by the leader's node while StateMachine::has_sweep_work, one in flight, and only while no client's
// write waits.
struct Sweep {
  bool operator==(const Sweep&) const = default;
};
// Lets cluster time pass when something is due and nobody writes.
struct Tick {
  bool operator==(const Tick&) const = default;
};
// A node's addresses, so that everybody (and every client) can be told them.
struct AnnounceNode {
  base::NodeId node;
  base::Incarnation incarnation;
  std::string peer_address;
  std::string client_address;
  std::string http_address;
  bool operator==(const AnnounceNode&) const = default;
};

using Command = std::variant<CreateAccount, LogIn, LogOut, ChangePassword, DeleteAccount, SendMessage,
                             MarkRead, DeleteMessages, Sweep, Tick, AnnounceNode>;

// The bytes of a log entry (parley.internal.v1.Command). Stops the process if the command breaks a limit of
// the format (well_formed): the service has refused that, and no node could apply it.
[[nodiscard]] std::string encode(const Command& command);

// Foreign bytes; the error says what was wrong. What does not decode is a command of a newer format, not of
// ours.
[[nodiscard]] std::expected<Command, std::string> decode_command(std::string_view bytes);

// What the format demands of every command: lengths, limits, ids that are not none. The error says what was
// wrong.
[[nodiscard]] std::expected<void, std::string> well_formed(const Command& command);

// The request's key and authority, for the commands that carry one.
[[nodiscard]] const RequestKey* request_key(const Command& command);
[[nodiscard]] const Authority* authority(const Command& command);

}  // namespace parley::chat
