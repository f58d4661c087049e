// Every PeerMessage comes back from its bytes as it was; bytes that are none are refused, never a crash.
#include "node/peer_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace parley::node {
namespace {

raft::Member member(std::uint32_t id) {
  return {base::NodeId(id), base::Incarnation(0xabcdef0123456789ULL + id)};
}

raft::Configuration configuration() {
  raft::Configuration result;
  result.voters = {member(1), member(2), member(3)};
  result.learners = {member(4)};
  return result;
}

PeerMessage raft_message(raft::MessageBody body, std::int64_t wall_unix_ms = 0) {
  return RaftMessage{
      .message = {.from = member(1), .to = member(2), .term = raft::Term(7), .body = std::move(body)},
      .wall_unix_ms = wall_unix_ms};
}

raft::AppendRequest append() {
  return {.prev_index = raft::Index(9),
          .prev_term = raft::Term(6),
          .commit = raft::Index(8),
          .entries = {{raft::Index(10), raft::Term(7), raft::EntryKind::no_op, {}},
                      {raft::Index(11), raft::Term(7), raft::EntryKind::command,
                       base::Payload(std::string("\0\xff body", 7))}}};
}

chat::CommandResult result() {
  chat::CommandResult value;
  value.position = base::Position(12);
  value.is_retry = true;
  value.account = chat::AccountId(3);
  value.account_name = "anna";
  value.created_at_unix_ms = 5;
  value.session_expires_at_unix_ms = 6;
  value.message = {.id = chat::MessageId(12),
                   .conversation = chat::ConversationId(11),
                   .sender = chat::AccountId(3),
                   .recipient = chat::AccountId(4),
                   .sender_name = "anna",
                   .recipient_name = "bob",
                   .body = "hello",
                   .sent_at_unix_ms = 99,
                   .read = true,
                   .request_id = "0190"};
  value.message_ids = {chat::MessageId(1), chat::MessageId(1ULL << 60)};
  value.server_time_unix_ms = 1'700'000'000'000;
  return value;
}

base::Error error() {
  base::Error value = base::outcome_unknown(base::Code::unavailable, "NO_LEADER", "No leader.");
  value.field = "body";
  value.limit = "16384 bytes";
  value.message_ids = {1, 2};
  value.retry_after_ms = 50;
  value.server_time_unix_ms = 17;
  value.position = base::Position(4);
  return value;
}

ApiCall call() {
  return {.method = "parley.v1.MessageService/ListMessages",
          .request = base::Payload(std::string("\0\xff request", 10)),
          .authorization = "Bearer token"};
}

std::vector<PeerMessage> one_of_each() {
  Hello hello;
  hello.self = member(1);
  hello.peer_address = "10.0.0.1:7701";
  hello.founders = {{base::NodeId(1), "10.0.0.1:7701"}, {base::NodeId(2), "10.0.0.2:7701"}};
  hello.process = 0xfedc'ba98'7654'3210;
  Hello of_cluster = hello;
  of_cluster.cluster_id.bytes.fill(0x5a);
  raft::Founding founding{.configuration = configuration(),
                          .cluster_id = of_cluster.cluster_id,
                          .state_seed = std::string(32, 's')};
  return {
      hello,
      of_cluster,
      raft_message(raft::PreVoteRequest{raft::Term(8), raft::Index(3), raft::Term(2)}),
      raft_message(raft::PreVoteResponse{raft::Term(8), true}),
      raft_message(raft::VoteRequest{raft::Index(3), raft::Term(2), true}),
      raft_message(raft::VoteResponse{true}),
      raft_message(append()),
      raft_message(raft::AppendResponse{true, raft::Index(1), raft::Index(2), raft::Index(3), raft::Term(4)}),
      raft_message(raft::HeartbeatRequest{raft::Index(5), 77}),
      raft_message(raft::HeartbeatResponse{77}, 1'700'000'000'123),
      raft_message(raft::ReadIndexRequest{4}),
      raft_message(raft::ReadIndexResponse{4, raft::Index(0)}),
      raft_message(raft::ReadIndexResponse{4, std::nullopt}),
      raft_message(raft::TimeoutNow{}),
      raft_message(raft::SnapshotOffer{{raft::Index(100), raft::Term(3), configuration()}}),
      FoundingOffer{founding},
      ForwardWrite{.forward_id = 9, .deadline_ms = 1500, .command = base::Payload("command")},
      ForwardReply{.forward_id = 9, .answer = ForwardFailure::lost},
      ForwardReply{.forward_id = 9, .answer = result()},
      ForwardReply{.forward_id = 9, .answer = error()},
      ForwardCall{.forward_id = 3, .deadline_ms = 900, .call = call()},
      CallReply{.forward_id = 3, .answer = CallFailure::not_served},
      CallReply{.forward_id = 3, .answer = CallFailure::lost},
      CallReply{.forward_id = 3, .answer = base::Payload(std::string("\0\xff page", 7))},
      CallReply{.forward_id = 3, .answer = base::Payload()},
      CallReply{.forward_id = 3, .answer = error()},
  };
}

TEST(PeerCodec, EveryMessageComesBackAsItWas) {
  const std::vector<PeerMessage> sent = one_of_each();
  const auto received = decode_frame(encode_frame(sent));
  ASSERT_TRUE(received.has_value()) << received.error();
  ASSERT_EQ(received->size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_TRUE((*received)[i] == sent[i]) << "message " << i;
  }
}

TEST(PeerCodec, ASingleMessageTakesAboutItsEstimate) {
  for (const PeerMessage& message : one_of_each()) {
    const std::size_t real = encode_frame({&message, 1}).size();
    EXPECT_LE(real, estimated_size_bytes(message) + 160) << "kind " << message.index();
  }
}

TEST(PeerCodec, AFrameThatIsTooLargeIsRefused) {
  EXPECT_FALSE(decode_frame(std::string(kMaxFrame_bytes + 1, '\0')).has_value());
}

// What a node may take to the leader, and the largest answer, fit into a frame; what is larger is refused.
TEST(PeerCodec, CallsAndAnswersAreBounded) {
  const auto comes_back = [](const PeerMessage& message) {
    const auto received = decode_frame(encode_frame({&message, 1}));
    return received && received->size() == 1 && received->front() == message;
  };
  ForwardCall largest{.forward_id = 1, .deadline_ms = 1, .call = {}};
  largest.call.method = std::string(kMaxMethodBytes, 'm');
  largest.call.request = base::Payload(std::string(base::kMaxRequestBytes, 'r'));
  largest.call.authorization = std::string(kMaxAuthorizationBytes, 'a');
  EXPECT_TRUE(comes_back(largest));
  EXPECT_GE(estimated_size_bytes(largest), base::kMaxRequestBytes + kMaxAuthorizationBytes);
  for (const int part : {0, 1, 2}) {
    ForwardCall larger = largest;
    if (part == 0) {
      larger.call.method += 'm';
    } else if (part == 1) {
      larger.call.request = base::Payload(std::string(base::kMaxRequestBytes + 1, 'r'));
    } else {
      larger.call.authorization += 'a';
    }
    EXPECT_FALSE(comes_back(larger)) << part;
  }
  const CallReply answer{.forward_id = 1, .answer = base::Payload(std::string(kMaxAnswerBytes, 'p'))};
  EXPECT_TRUE(comes_back(answer));
  EXPECT_GE(estimated_size_bytes(answer), kMaxAnswerBytes);
  EXPECT_FALSE(
      comes_back(CallReply{.forward_id = 1, .answer = base::Payload(std::string(kMaxAnswerBytes + 1, 'p'))}));
}

TEST(PeerCodec, AnAppendWithAGapIsRefused) {
  raft::AppendRequest request = append();
  request.entries[1].index = raft::Index(12);
  const PeerMessage message = raft_message(request);
  EXPECT_FALSE(decode_frame(encode_frame({&message, 1})).has_value());
}

TEST(PeerCodec, AHelloWithoutAnIncarnationIsRefused) {
  const PeerMessage message = Hello{.self = {base::NodeId(1), {}}};
  EXPECT_FALSE(decode_frame(encode_frame({&message, 1})).has_value());
}

// A hello comes from whoever dials: what is said in it is kept and logged.
TEST(PeerCodec, AddressesOfAHelloAreShortAndPrintable) {
  const auto is_taken = [](const Hello& hello) {
    const PeerMessage message = hello;
    const auto received = decode_frame(encode_frame({&message, 1}));
    return received && received->front() == message;
  };
  Hello hello{.self = member(1), .peer_address = std::string(300, 'h')};
  for (std::uint32_t id = 1; id <= 16; ++id) {
    hello.founders.push_back({base::NodeId(id), "[2001:db8::1]:7701"});
  }
  EXPECT_TRUE(is_taken(hello));
  for (const std::string& address :
       {std::string(301, 'h'), std::string("a:1\nforged line"), std::string("a\x1b[2J:1"),
        std::string("a b:1"), std::string("\xc3\xa4:1"), std::string("a\0:1", 4), std::string("a\x7f:1")}) {
    Hello other = hello;
    other.peer_address = address;
    EXPECT_FALSE(is_taken(other)) << address;
    other = hello;
    other.founders.back().peer_address = address;
    EXPECT_FALSE(is_taken(other)) << address;
  }
  hello.founders.push_back({base::NodeId(17), "a:1"});
  EXPECT_FALSE(is_taken(hello));
}

// Seeded: every bit of a small frame flipped, every prefix, and random bytes. What decodes, encodes again.
TEST(PeerCodec, DamagedFramesNeverCrash) {
  const std::vector<PeerMessage> sent = one_of_each();
  const std::string whole = encode_frame(sent);
  std::size_t decoded = 0;
  const auto attempt = [&decoded](const std::string& bytes) {
    const auto messages = decode_frame(bytes);
    if (!messages) {
      return;
    }
    ++decoded;
    EXPECT_TRUE(decode_frame(encode_frame(*messages)) == messages);
  };
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    attempt(damaged);
  }
  for (std::size_t size = 0; size < whole.size(); ++size) {
    attempt(whole.substr(0, size));
  }
  EXPECT_GT(decoded, 0U) << "nothing got as far as the decoder of messages";
  std::mt19937_64 random(20261120);
  for (int round = 0; round < 2000; ++round) {
    std::string noise(random() % 200, '\0');
    for (char& byte : noise) {
      byte = static_cast<char>(random());
    }
    attempt(noise);
  }
}

}  // namespace
}  // namespace parley::node
