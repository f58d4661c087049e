#include "node/peer_codec.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/ensure.h"
#include "parley/internal/v1/peer.pb.h"
#include "raft/codec.h"

namespace parley::node {
namespace {

namespace wire = parley::internal::v1;

// What makes a frame useless; thrown inside decode_frame alone, where a bad frame is bad as a whole.
struct BadFrame {
  std::string what;
};

void require(bool holds, const char* what) {
  if (!holds) {
    throw BadFrame{what};
  }
}

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

// ---- small parts ----

void put(const raft::Member& member, wire::PeerMember& out) {
  out.set_id(member.id.value());
  out.set_incarnation(member.incarnation.value());
}
raft::Member get(const wire::PeerMember& in) {
  return {base::NodeId(in.id()), base::Incarnation(in.incarnation())};
}

raft::Index index_of(std::uint64_t value) { return raft::Index(value); }
raft::Term term_of(std::uint64_t value) { return raft::Term(value); }

// What an address of a peer may be: it is kept and logged as it came, from whoever dials.
constexpr std::size_t kMaxAddressBytes = 300;
constexpr int kMaxFounders = 16;

std::string take_address(std::string& in) {
  require(in.size() <= kMaxAddressBytes, "an address that is longer than any");
  require(std::ranges::all_of(in, [](char byte) { return byte > ' ' && byte <= '~'; }),
          "an address with characters that none has");
  return std::move(in);
}

void put(const Hello& hello, wire::PeerHello& out) {
  if (hello.has_state()) {
    out.set_cluster_id(hello.cluster_id.bytes.data(), hello.cluster_id.bytes.size());
  }
  put(hello.self, *out.mutable_self());
  out.set_peer_address(hello.peer_address);
  for (const ListedNode& listed : hello.founders) {
    wire::ListedNode& item = *out.add_founders();
    item.set_id(listed.id.value());
    item.set_peer_address(listed.peer_address);
  }
  out.set_process(hello.process);
}
Hello get(wire::PeerHello& in) {
  Hello hello;
  if (!in.cluster_id().empty()) {
    require(in.cluster_id().size() == hello.cluster_id.bytes.size(), "a cluster id that is not 16 bytes");
    std::copy(in.cluster_id().begin(), in.cluster_id().end(), hello.cluster_id.bytes.begin());
  }
  hello.self = get(in.self());
  require(!hello.self.id.is_none() && !hello.self.incarnation.is_none(), "a hello without id or incarnation");
  hello.peer_address = take_address(*in.mutable_peer_address());
  require(in.founders_size() <= kMaxFounders, "a hello with more founders than a cluster can have");
  for (wire::ListedNode& item : *in.mutable_founders()) {
    hello.founders.push_back({base::NodeId(item.id()), take_address(*item.mutable_peer_address())});
  }
  hello.process = in.process();
  return hello;
}

// ---- raft ----

void put(const raft::Entry& entry, wire::RaftEntry& out) {
  out.set_index(entry.index.value());
  out.set_term(entry.term.value());
  out.set_kind(static_cast<std::uint32_t>(entry.kind));
  const std::string_view data = entry.data.view();
  out.set_data(data.data(), data.size());
}
raft::Entry get(wire::RaftEntry& in) {
  require(in.kind() >= 1 && in.kind() <= static_cast<std::uint32_t>(raft::EntryKind::command),
          "an entry of a kind that this version does not know");
  return {.index = index_of(in.index()),
          .term = term_of(in.term()),
          .kind = static_cast<raft::EntryKind>(in.kind()),
          .data = base::Payload(std::move(*in.mutable_data()))};
}

void put(const raft::MessageBody& body, wire::RaftMessage& out) {
  std::visit(
      Overloaded{
          [&](const raft::PreVoteRequest& m) {
            wire::PreVoteRequest& w = *out.mutable_pre_vote_request();
            w.set_next_term(m.next_term.value());
            w.set_last_index(m.last_index.value());
            w.set_last_term(m.last_term.value());
          },
          [&](const raft::PreVoteResponse& m) {
            wire::PreVoteResponse& w = *out.mutable_pre_vote_response();
            w.set_next_term(m.next_term.value());
            w.set_granted(m.granted);
          },
          [&](const raft::VoteRequest& m) {
            wire::VoteRequest& w = *out.mutable_vote_request();
            w.set_last_index(m.last_index.value());
            w.set_last_term(m.last_term.value());
            w.set_leadership_transfer(m.leadership_transfer);
          },
          [&](const raft::VoteResponse& m) { out.mutable_vote_response()->set_granted(m.granted); },
          [&](const raft::AppendRequest& m) {
            wire::AppendRequest& w = *out.mutable_append_request();
            w.set_prev_index(m.prev_index.value());
            w.set_prev_term(m.prev_term.value());
            w.set_commit(m.commit.value());
            for (const raft::Entry& entry : m.entries) {
              put(entry, *w.add_entries());
            }
          },
          [&](const raft::AppendResponse& m) {
            wire::AppendResponse& w = *out.mutable_append_response();
            w.set_rejected(m.rejected);
            w.set_match_index(m.match_index.value());
            w.set_rejected_prev(m.rejected_prev.value());
            w.set_hint_index(m.hint_index.value());
            w.set_hint_term(m.hint_term.value());
          },
          [&](const raft::HeartbeatRequest& m) {
            out.mutable_heartbeat_request()->set_commit(m.commit.value());
            out.mutable_heartbeat_request()->set_round(m.round);
          },
          [&](const raft::HeartbeatResponse& m) { out.mutable_heartbeat_response()->set_round(m.round); },
          [&](const raft::ReadIndexRequest& m) { out.mutable_read_index_request()->set_read_id(m.read_id); },
          [&](const raft::ReadIndexResponse& m) {
            out.mutable_read_index_response()->set_read_id(m.read_id);
            if (m.index) {
              out.mutable_read_index_response()->set_index(m.index->value());
            }
          },
          [&](const raft::TimeoutNow&) { out.mutable_timeout_now(); },
          [&](const raft::SnapshotOffer& m) {
            wire::SnapshotOffer& w = *out.mutable_snapshot_offer();
            w.set_index(m.point.index.value());
            w.set_term(m.point.term.value());
            w.set_configuration(raft::encode(m.point.configuration));
          },
      },
      body);
}

raft::AppendRequest get(wire::AppendRequest& in) {
  raft::AppendRequest request{.prev_index = index_of(in.prev_index()),
                              .prev_term = term_of(in.prev_term()),
                              .commit = index_of(in.commit())};
  request.entries.reserve(static_cast<std::size_t>(in.entries_size()));
  raft::Index before = request.prev_index;
  for (wire::RaftEntry& entry : *in.mutable_entries()) {
    request.entries.push_back(get(entry));
    require(request.entries.back().index == before.next(), "an append with a gap");
    before = before.next();
  }
  return request;
}
raft::SnapshotOffer get(const wire::SnapshotOffer& in) {
  auto configuration = raft::decode_configuration(in.configuration());
  require(configuration.has_value(), "a snapshot offer whose configuration does not decode");
  return {.point = {.index = index_of(in.index()),
                    .term = term_of(in.term()),
                    .configuration = std::move(*configuration)}};
}

raft::MessageBody get_body(wire::RaftMessage& in) {
  switch (in.body_case()) {
    case wire::RaftMessage::kPreVoteRequest: {
      const auto& w = in.pre_vote_request();
      return raft::PreVoteRequest{term_of(w.next_term()), index_of(w.last_index()), term_of(w.last_term())};
    }
    case wire::RaftMessage::kPreVoteResponse:
      return raft::PreVoteResponse{term_of(in.pre_vote_response().next_term()),
                                   in.pre_vote_response().granted()};
    case wire::RaftMessage::kVoteRequest: {
      const auto& w = in.vote_request();
      return raft::VoteRequest{index_of(w.last_index()), term_of(w.last_term()), w.leadership_transfer()};
    }
    case wire::RaftMessage::kVoteResponse:
      return raft::VoteResponse{in.vote_response().granted()};
    case wire::RaftMessage::kAppendRequest:
      return get(*in.mutable_append_request());
    case wire::RaftMessage::kAppendResponse: {
      const auto& w = in.append_response();
      return raft::AppendResponse{w.rejected(), index_of(w.match_index()), index_of(w.rejected_prev()),
                                  index_of(w.hint_index()), term_of(w.hint_term())};
    }
    case wire::RaftMessage::kHeartbeatRequest:
      return raft::HeartbeatRequest{index_of(in.heartbeat_request().commit()),
                                    in.heartbeat_request().round()};
    case wire::RaftMessage::kHeartbeatResponse:
      return raft::HeartbeatResponse{in.heartbeat_response().round()};
    case wire::RaftMessage::kReadIndexRequest:
      return raft::ReadIndexRequest{in.read_index_request().read_id()};
    case wire::RaftMessage::kReadIndexResponse: {
      const auto& w = in.read_index_response();
      return raft::ReadIndexResponse{w.read_id(),
                                     w.has_index() ? std::optional(index_of(w.index())) : std::nullopt};
    }
    case wire::RaftMessage::kTimeoutNow:
      return raft::TimeoutNow{};
    case wire::RaftMessage::kSnapshotOffer:
      return get(in.snapshot_offer());
    case wire::RaftMessage::BODY_NOT_SET:
      break;
  }
  throw BadFrame{"a raft message of a kind that this version does not know"};
}

void put(const RaftMessage& message, wire::RaftMessage& out) {
  put(message.message.from, *out.mutable_from());
  put(message.message.to, *out.mutable_to());
  out.set_term(message.message.term.value());
  out.set_wall_unix_ms(message.wall_unix_ms);
  put(message.message.body, out);
}
RaftMessage get(wire::RaftMessage& in) {
  return {.message = {.from = get(in.from()),
                      .to = get(in.to()),
                      .term = term_of(in.term()),
                      .body = get_body(in)},
          .wall_unix_ms = in.wall_unix_ms()};
}

// ---- writes ----

void put(const chat::Message& message, wire::PeerChatMessage& out) {
  out.set_id(message.id.value());
  out.set_conversation(message.conversation.value());
  out.set_sender(message.sender.value());
  out.set_recipient(message.recipient.value());
  out.set_sender_name(message.sender_name);
  out.set_recipient_name(message.recipient_name);
  out.set_body(message.body);
  out.set_sent_at_unix_ms(message.sent_at_unix_ms);
  out.set_read(message.read);
  out.set_request_id(message.request_id);
}
chat::Message get(wire::PeerChatMessage& in) {
  return {.id = chat::MessageId(in.id()),
          .conversation = chat::ConversationId(in.conversation()),
          .sender = chat::AccountId(in.sender()),
          .recipient = chat::AccountId(in.recipient()),
          .sender_name = std::move(*in.mutable_sender_name()),
          .recipient_name = std::move(*in.mutable_recipient_name()),
          .body = std::move(*in.mutable_body()),
          .sent_at_unix_ms = in.sent_at_unix_ms(),
          .read = in.read(),
          .request_id = std::move(*in.mutable_request_id())};
}

void put(const chat::CommandResult& result, wire::PeerCommandResult& out) {
  out.set_verdict(static_cast<std::uint32_t>(result.verdict));
  out.set_position(result.position.value());
  out.set_is_retry(result.is_retry);
  out.set_account(result.account.value());
  out.set_account_name(result.account_name);
  out.set_created_at_unix_ms(result.created_at_unix_ms);
  out.set_session_expires_at_unix_ms(result.session_expires_at_unix_ms);
  if (result.message != chat::Message{}) {
    put(result.message, *out.mutable_message());
  }
  for (const chat::MessageId id : result.message_ids) {
    out.add_message_ids(id.value());
  }
  out.set_server_time_unix_ms(result.server_time_unix_ms);
}
chat::CommandResult get(wire::PeerCommandResult& in) {
  require(in.verdict() <= static_cast<std::uint32_t>(chat::Verdict::created_before),
          "a verdict that this version does not know");
  chat::CommandResult result{.verdict = static_cast<chat::Verdict>(in.verdict()),
                             .position = base::Position(in.position()),
                             .is_retry = in.is_retry(),
                             .account = chat::AccountId(in.account()),
                             .account_name = std::move(*in.mutable_account_name()),
                             .created_at_unix_ms = in.created_at_unix_ms(),
                             .session_expires_at_unix_ms = in.session_expires_at_unix_ms()};
  if (in.has_message()) {
    result.message = get(*in.mutable_message());
  }
  for (const std::uint64_t id : in.message_ids()) {
    result.message_ids.emplace_back(id);
  }
  result.server_time_unix_ms = in.server_time_unix_ms();
  return result;
}

void put(const base::Error& error, wire::PeerError& out) {
  out.set_code(static_cast<std::uint32_t>(error.code));
  out.set_outcome(static_cast<std::uint32_t>(error.outcome));
  out.set_message(error.message);
  out.set_reason(error.reason);
  out.set_field(error.field);
  out.set_limit(error.limit);
  for (const std::uint64_t id : error.message_ids) {
    out.add_message_ids(id);
  }
  out.set_retry_after_ms(error.retry_after_ms);
  out.set_server_time_unix_ms(error.server_time_unix_ms);
  out.set_position(error.position.value());
}
base::Error get(wire::PeerError& in) {
  require(in.code() <= static_cast<std::uint32_t>(base::Code::unauthenticated),
          "an error of an unknown code");
  // An outcome that this version does not know is the careful one.
  const bool is_refused = in.outcome() == static_cast<std::uint32_t>(base::Outcome::refused);
  base::Error error{.code = static_cast<base::Code>(in.code()),
                    .outcome = is_refused ? base::Outcome::refused : base::Outcome::unknown,
                    .message = std::move(*in.mutable_message()),
                    .reason = std::move(*in.mutable_reason()),
                    .field = std::move(*in.mutable_field()),
                    .limit = std::move(*in.mutable_limit())};
  error.message_ids.assign(in.message_ids().begin(), in.message_ids().end());
  error.retry_after_ms = in.retry_after_ms();
  error.server_time_unix_ms = in.server_time_unix_ms();
  error.position = base::Position(in.position());
  return error;
}

void put(const ForwardReply& reply, wire::ForwardReply& out) {
  out.set_forward_id(reply.forward_id);
  std::visit(Overloaded{[&](ForwardFailure failure) { out.set_failure(static_cast<std::uint32_t>(failure)); },
                        [&](const chat::CommandResult& result) { put(result, *out.mutable_result()); },
                        [&](const base::Error& error) { put(error, *out.mutable_error()); }},
             reply.answer);
}
ForwardReply get(wire::ForwardReply& in) {
  ForwardReply reply{.forward_id = in.forward_id()};
  switch (in.answer_case()) {
    case wire::ForwardReply::kFailure:
      // A failure that this version does not know is the careful one.
      reply.answer = in.failure() == static_cast<std::uint32_t>(ForwardFailure::not_proposed)
                         ? ForwardFailure::not_proposed
                         : ForwardFailure::lost;
      return reply;
    case wire::ForwardReply::kResult:
      reply.answer = get(*in.mutable_result());
      return reply;
    case wire::ForwardReply::kError:
      reply.answer = get(*in.mutable_error());
      return reply;
    case wire::ForwardReply::ANSWER_NOT_SET:
      break;
  }
  throw BadFrame{"a forward reply without an answer"};
}

// ---- calls ----

void put(const ForwardCall& forward, wire::ForwardCall& out) {
  out.set_forward_id(forward.forward_id);
  out.set_deadline_ms(forward.deadline_ms);
  out.set_method(forward.call.method);
  out.set_request(forward.call.request.view().data(), forward.call.request.size_bytes());
  out.set_authorization(forward.call.authorization);
}
ForwardCall get(wire::ForwardCall& in) {
  ForwardCall forward{.forward_id = in.forward_id(),
                      .deadline_ms = in.deadline_ms(),
                      .call = {.method = std::move(*in.mutable_method()),
                               .request = base::Payload(std::move(*in.mutable_request())),
                               .authorization = std::move(*in.mutable_authorization())}};
  require(is_within_limits(forward.call), "a call that is larger than any client's");
  return forward;
}

void put(const CallReply& reply, wire::CallReply& out) {
  out.set_forward_id(reply.forward_id);
  std::visit(Overloaded{[&](CallFailure failure) { out.set_failure(static_cast<std::uint32_t>(failure)); },
                        [&](const base::Payload& response) {
                          out.set_response(response.view().data(), response.size_bytes());
                        },
                        [&](const base::Error& error) { put(error, *out.mutable_error()); }},
             reply.answer);
}
CallReply get(wire::CallReply& in) {
  CallReply reply{.forward_id = in.forward_id()};
  switch (in.answer_case()) {
    case wire::CallReply::kFailure:
      // A failure that this version does not know is the careful one.
      reply.answer = in.failure() == static_cast<std::uint32_t>(CallFailure::not_served)
                         ? CallFailure::not_served
                         : CallFailure::lost;
      return reply;
    case wire::CallReply::kResponse:
      require(in.response().size() <= kMaxAnswerBytes, "an answer that is larger than any");
      reply.answer = base::Payload(std::move(*in.mutable_response()));
      return reply;
    case wire::CallReply::kError:
      reply.answer = get(*in.mutable_error());
      return reply;
    case wire::CallReply::ANSWER_NOT_SET:
      break;
  }
  throw BadFrame{"a reply to a call without an answer"};
}

// ---- the message ----

void put(const PeerMessage& message, wire::PeerMessage& out) {
  std::visit(Overloaded{[&](const Hello& m) { put(m, *out.mutable_hello()); },
                        [&](const RaftMessage& m) { put(m, *out.mutable_raft()); },
                        [&](const FoundingOffer& m) {
                          out.mutable_founding_offer()->set_founding(raft::encode(m.founding));
                        },
                        [&](const ForwardWrite& m) {
                          wire::ForwardWrite& w = *out.mutable_forward_write();
                          w.set_forward_id(m.forward_id);
                          w.set_deadline_ms(m.deadline_ms);
                          w.set_command(m.command.view().data(), m.command.size_bytes());
                        },
                        [&](const ForwardReply& m) { put(m, *out.mutable_forward_reply()); },
                        [&](const ForwardCall& m) { put(m, *out.mutable_forward_call()); },
                        [&](const CallReply& m) { put(m, *out.mutable_call_reply()); }},
             message);
}

PeerMessage get(wire::PeerMessage& in) {
  switch (in.kind_case()) {
    case wire::PeerMessage::kHello:
      return get(*in.mutable_hello());
    case wire::PeerMessage::kRaft:
      return get(*in.mutable_raft());
    case wire::PeerMessage::kFoundingOffer: {
      auto founding = raft::decode_founding(in.founding_offer().founding());
      require(founding.has_value(), "a founding offer that does not decode");
      return FoundingOffer{std::move(*founding)};
    }
    case wire::PeerMessage::kForwardWrite: {
      wire::ForwardWrite& w = *in.mutable_forward_write();
      return ForwardWrite{.forward_id = w.forward_id(),
                          .deadline_ms = w.deadline_ms(),
                          .command = base::Payload(std::move(*w.mutable_command()))};
    }
    case wire::PeerMessage::kForwardReply:
      return get(*in.mutable_forward_reply());
    case wire::PeerMessage::kForwardCall:
      return get(*in.mutable_forward_call());
    case wire::PeerMessage::kCallReply:
      return get(*in.mutable_call_reply());
    case wire::PeerMessage::KIND_NOT_SET:
      break;
  }
  throw BadFrame{"a message of a kind that this version does not know"};
}

std::size_t payload_bytes(const chat::CommandResult& result) {
  return result.account_name.size() + result.message.body.size() + result.message.sender_name.size() +
         result.message.recipient_name.size() + result.message.request_id.size() +
         10 * result.message_ids.size();
}

std::size_t payload_bytes(const base::Error& error) {
  return error.message.size() + error.reason.size() + error.field.size() + error.limit.size() +
         10 * error.message_ids.size();
}

// The largest single messages fit into a frame with room for what is around them.
static_assert(base::kMaxRequestBytes + kMaxAuthorizationBytes + kMaxMethodBytes + 1024 < kMaxFrame_bytes);
static_assert(kMaxAnswerBytes + 1024 < kMaxFrame_bytes);

}  // namespace

std::size_t estimated_size_bytes(const PeerMessage& message) {
  constexpr std::size_t kFixed_bytes = 64;
  constexpr std::size_t kPerItem_bytes = 40;
  std::size_t bytes = kFixed_bytes;
  if (const auto* raft_message = std::get_if<RaftMessage>(&message)) {
    if (const auto* append = std::get_if<raft::AppendRequest>(&raft_message->message.body)) {
      for (const raft::Entry& entry : append->entries) {
        bytes += kPerItem_bytes + entry.data.size_bytes();
      }
    }
  } else if (const auto* forward = std::get_if<ForwardWrite>(&message)) {
    bytes += forward->command.size_bytes();
  } else if (const auto* reply = std::get_if<ForwardReply>(&message)) {
    if (const auto* result = std::get_if<chat::CommandResult>(&reply->answer)) {
      bytes += payload_bytes(*result);
    }
    if (const auto* error = std::get_if<base::Error>(&reply->answer)) {
      bytes += payload_bytes(*error);
    }
  } else if (const auto* call = std::get_if<ForwardCall>(&message)) {
    bytes += call->call.method.size() + call->call.request.size_bytes() + call->call.authorization.size();
  } else if (const auto* answer = std::get_if<CallReply>(&message)) {
    if (const auto* response = std::get_if<base::Payload>(&answer->answer)) {
      bytes += response->size_bytes();
    }
    if (const auto* error = std::get_if<base::Error>(&answer->answer)) {
      bytes += payload_bytes(*error);
    }
  } else if (const auto* hello = std::get_if<Hello>(&message)) {
    bytes += hello->peer_address.size();
    for (const ListedNode& listed : hello->founders) {
      bytes += kPerItem_bytes + listed.peer_address.size();
    }
  } else if (const auto* offer = std::get_if<FoundingOffer>(&message)) {
    bytes +=
        offer->founding.state_seed.size() + kPerItem_bytes * (offer->founding.configuration.voters.size() +
                                                              offer->founding.configuration.learners.size());
  }
  return bytes;
}

std::string encode_frame(std::span<const PeerMessage> messages) {
  wire::PeerFrame frame;
  frame.mutable_messages()->Reserve(static_cast<int>(messages.size()));
  for (const PeerMessage& message : messages) {
    put(message, *frame.add_messages());
  }
  std::string bytes;
  base::ensure(frame.SerializeToString(&bytes), "a frame of our own messages can be encoded");
  return bytes;
}

std::expected<std::vector<PeerMessage>, std::string> decode_frame(std::string_view bytes) {
  if (bytes.size() > kMaxFrame_bytes) {
    return std::unexpected("a frame of more than kMaxFrame_bytes");
  }
  wire::PeerFrame frame;
  if (!frame.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return std::unexpected("a frame that does not parse");
  }
  std::vector<PeerMessage> messages;
  messages.reserve(static_cast<std::size_t>(frame.messages_size()));
  try {
    for (wire::PeerMessage& message : *frame.mutable_messages()) {
      messages.push_back(get(message));
    }
  } catch (const BadFrame& bad) {
    return std::unexpected(bad.what);
  }
  return messages;
}

}  // namespace parley::node
