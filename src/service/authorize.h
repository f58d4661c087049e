// Who calls, and may they: tokens to sessions to accounts; rules 4 and 5 of design.md. Private to service.
// Owned by: nobody. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "chat/command.h"
#include "chat/reader.h"
#include "chat/result.h"
#include "service/call.h"

namespace parley::service {

using CallBasePtr = std::shared_ptr<CallBase>;

// The session that the token of "Bearer TOKEN" names. Only its form and tag are looked at.
[[nodiscard]] base::Result<chat::SessionHash> session_of(const node::ChatNode& node,
                                                         const std::string& authorization);

// Runs a query in a snapshot that also holds the caller's session. `stale`: in what the node has applied,
// except that an unknown session is looked for behind a barrier before it is refused.
using SessionQuery = std::move_only_function<void(chat::Reader& reader, const chat::SessionInfo& caller,
                                                  const node::AsOf& as_of)>;
void read_as_session(const CallBasePtr& call, bool stale, SessionQuery query);
// The same for what is no unary call: `refuse` instead of an answer.
void with_session(Service::State& service, const chat::SessionHash& session, node::Deadline deadline,
                  bool stale, SessionQuery query, std::move_only_function<void(base::Error)> refuse);

// A write under a session's authority. An unknown session is first looked up behind a barrier, in one
// snapshot with the remembered result of this write (rule 5). `answer` gets what was done; every refusal ends
// the call. Runs where the caller wants answers to be put together.
using MakeCommand = std::function<chat::Command(const chat::Authority&)>;
using WriteAnswer = std::move_only_function<void(const chat::CommandResult&)>;
void write_as_session(const CallBasePtr& call, MakeCommand make, WriteAnswer answer);

// Proposes `command` and answers the call; every refusal ends it.
void write_command(const CallBasePtr& call, chat::Command command, WriteAnswer answer);

// The text's id, or a new one if it is empty (such a write is not safe to retry). It is the call's from here
// on, whichever node ends it.
[[nodiscard]] base::Result<base::RequestId> request_id_of(CallBase& call, const std::string& text);
[[nodiscard]] base::RequestId new_request_id(const node::ChatNode& node);

}  // namespace parley::service
