// A retry with the same request_id returns the first result and changes nothing: after a lost reply, a change
// of leader, and a restart of all nodes with another leader, always through another node (must-pass I, J5).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/request_ids.h"
#include "tests/process/cluster.h"
#include "tests/process/faulty_proxy.h"
#include "tests/process/talk.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::SizeIs;

std::string new_request_id() { return client::RequestIds({}).make(); }

// What a retry has to repeat, as text; tokens and times of sessions are made anew.
template <class Answer>
std::string told(const client::WriteOutcome<Answer>& outcome) {
  if (const auto* const refused = std::get_if<client::Refused>(&outcome)) {
    return fmt::format("refused {} {} at {}", base::to_string(refused->error.code), refused->error.reason,
                       refused->error.position.value());
  }
  if (const auto* const unknown = std::get_if<client::Unknown>(&outcome)) {
    return "unknown: " + unknown->error.message;
  }
  Answer answer = std::get<client::Done<Answer>>(outcome).answer;
  if constexpr (requires { answer.clear_token(); }) {
    answer.clear_token();
    answer.clear_expires_at();
  }
  return answer.ShortDebugString();
}

// The last that it tells.
std::uint64_t position_in(const std::string& told) {
  static const std::regex pattern("(?:position: | at )(\\d+)");
  std::uint64_t position = 0;
  for (std::sregex_iterator match(told.begin(), told.end(), pattern); match != std::sregex_iterator();
       ++match) {
    position = std::stoull((*match)[1].str());
  }
  return position;
}

// A write that can be asked for again and again, with the same request_id.
struct Write {
  std::string name;
  std::string token;
  std::function<std::string(client::Client&)> ask;
};

// One of every kind, each with accounts of its own. `setting_up` makes those.
std::vector<Write> all_writes(client::Client& setting_up, const std::string& prefix) {
  const auto account = [&](const std::string& name) { return sign_up(setting_up, prefix + name); };
  const auto send = [&](const std::string& from_token, const std::string& to) {
    setting_up.set_token(from_token);
    v1::SendMessageRequest request;
    request.set_recipient(prefix + to);
    request.set_body("hello");
    const auto outcome = setting_up.send_message(request);
    return std::get<client::Done<v1::SendMessageResponse>>(outcome).answer.message().id();
  };
  const std::string ann = account("ann");
  const std::string bob = account("bob");
  const std::string leaver = account("leaver");
  const std::string changer = account("changer");
  const std::string goner = account("goner");
  const std::uint64_t to_read = send(ann, "bob");
  const std::uint64_t to_delete = send(ann, "bob");

  v1::CreateAccountRequest create;
  create.set_name(prefix + "new");
  create.set_password("correct horse");
  create.set_request_id(new_request_id());
  v1::SendMessageRequest message;
  message.set_recipient(prefix + "bob");
  message.set_body("once");
  message.set_request_id(new_request_id());
  v1::SendMessageRequest to_nobody = message;
  to_nobody.set_recipient(prefix + "nobody");
  to_nobody.set_request_id(new_request_id());
  v1::MarkReadRequest read;
  read.add_message_ids(to_read);
  read.set_request_id(new_request_id());
  v1::DeleteMessagesRequest remove;
  remove.add_message_ids(to_delete);
  remove.set_request_id(new_request_id());
  v1::LogOutRequest log_out;
  log_out.set_request_id(new_request_id());
  v1::ChangePasswordRequest change;
  change.set_password("correct horse");
  change.set_new_password("battery staple");
  change.set_request_id(new_request_id());
  v1::DeleteAccountRequest gone;
  gone.set_password("correct horse");
  gone.set_request_id(new_request_id());
  return {
      {"CreateAccount", "", [=](client::Client& client) { return told(client.create_account(create)); }},
      {"SendMessage", ann, [=](client::Client& client) { return told(client.send_message(message)); }},
      {"SendMessage to nobody", ann,
       [=](client::Client& client) { return told(client.send_message(to_nobody)); }},
      {"MarkRead", bob, [=](client::Client& client) { return told(client.mark_read(read)); }},
      {"DeleteMessages", bob, [=](client::Client& client) { return told(client.delete_messages(remove)); }},
      {"LogOut", leaver, [=](client::Client& client) { return told(client.log_out(log_out)); }},
      {"ChangePassword", changer,
       [=](client::Client& client) { return told(client.change_password(change)); }},
      {"DeleteAccount", goner, [=](client::Client& client) { return told(client.delete_account(gone)); }},
  };
}

std::string ask_at(const Cluster& cluster, int node, const Write& write) {
  const auto client = cluster.client({node});
  client->set_token(write.token);
  return write.ask(*client);
}

class RetrySuite : public ::testing::Test {
 protected:
  [[nodiscard]] std::uint64_t applied_at(int node) {
    return cluster_.status(node).value_or(v1::GetStatusResponse()).applied_index();
  }
  // Every write once, then `fault`, then every one again through every node.
  void run(const std::string& prefix, const std::function<void()>& fault) {
    const auto everywhere = cluster_.client();
    const auto writes = all_writes(*everywhere, prefix);
    const int leader = cluster_.wait_for_leader();
    std::map<std::string, std::string> first;
    for (const Write& write : writes) {
      first[write.name] = ask_at(cluster_, leader, write);
      const bool is_refused = first[write.name].starts_with("refused NOT_FOUND");
      EXPECT_EQ(is_refused, write.name == "SendMessage to nobody") << write.name << ": " << first[write.name];
      EXPECT_FALSE(first[write.name].starts_with("unknown")) << write.name << ": " << first[write.name];
    }
    fault();
    cluster_.wait_for_leader();
    for (const int node : cluster_.ids()) {
      for (const Write& write : writes) {
        EXPECT_EQ(ask_at(cluster_, node, write), first[write.name])
            << write.name << " again, at node " << node;
      }
    }
    // And nothing happened twice.
    v1::LogInRequest log_in;
    log_in.set_name(prefix + "bob");
    log_in.set_password("correct horse");
    const auto session = everywhere->log_in(log_in);
    ASSERT_TRUE(std::holds_alternative<client::Done<v1::LogInResponse>>(session));
    const auto inbox =
        inbox_of(cluster_, {}, std::get<client::Done<v1::LogInResponse>>(session).answer.token());
    EXPECT_THAT(inbox, SizeIs(2)) << "one that stays, one sent once";
  }

  void kill_leader_until_another_leads() {
    const int leader = cluster_.wait_for_leader();
    cluster_.stop(leader, SIGKILL);
    EXPECT_NE(cluster_.wait_for_leader(), leader);
    cluster_.start(leader);
  }

  Cluster cluster_{5};
};

TEST_F(RetrySuite, AfterAChangeOfLeader) {
  run("l.", [this] { kill_leader_until_another_leads(); });
}

TEST_F(RetrySuite, AfterARestartOfAllNodesWithAnotherLeader) {
  run("r.", [this] {
    const int leader = cluster_.wait_for_leader();
    cluster_.stop_all(SIGKILL);
    cluster_.start_all();
    if (cluster_.wait_for_leader() == leader) {
      kill_leader_until_another_leads();
    }
  });
}

TEST_F(RetrySuite, AfterALostReplyThroughAnotherNode) {
  const int leader = cluster_.wait_for_leader();
  const auto everywhere = cluster_.client();
  const auto writes = all_writes(*everywhere, "p.");
  FaultyProxy proxy(cluster_.client_address(leader));
  for (const Write& write : writes) {
    SCOPED_TRACE(write.name);
    client::ClientOptions options;
    options.servers = {proxy.address()};
    options.token = write.token;
    options.timeout = std::chrono::seconds(3);
    // A connection is made first, so that the request itself gets through.
    proxy.pass_replies();
    client::Client through_proxy(std::move(options));
    [[maybe_unused]] const auto connected = through_proxy.get_status({});
    proxy.drop_replies();
    const std::uint64_t before = applied_at(leader);
    EXPECT_THAT(write.ask(through_proxy), ::testing::StartsWith("unknown"));
    ASSERT_TRUE(wait_until([&] { return applied_at(leader) > before; })) << "it has reached the log";
    const std::uint64_t after = applied_at(leader);
    const std::string first = ask_at(cluster_, cluster_.any_follower(leader), write);
    EXPECT_GT(position_in(first), before) << first;
    EXPECT_LE(position_in(first), after) << "the second attempt was not remembered, but executed: " << first;
    EXPECT_THAT(first, ::testing::Not(::testing::StartsWith("unknown")));
    for (const int node : cluster_.ids()) {
      EXPECT_EQ(ask_at(cluster_, node, write), first) << "at node " << node;
    }
  }
}

// must-pass J5: a send whose recipient was deleted since.
TEST_F(RetrySuite, ASendWhoseRecipientWasDeletedSince) {
  const auto client = cluster_.client();
  const std::string ann = sign_up(*client, "ann");
  const std::string bob = sign_up(*client, "bob");
  v1::SendMessageRequest message;
  message.set_recipient("bob");
  message.set_body("once");
  message.set_request_id(new_request_id());
  client->set_token(ann);
  const std::string first = told(client->send_message(message));
  client->set_token(bob);
  v1::DeleteAccountRequest gone;
  gone.set_password("correct horse");
  ASSERT_TRUE(std::holds_alternative<client::Done<v1::DeleteAccountResponse>>(client->delete_account(gone)));
  client->set_token(ann);
  EXPECT_EQ(told(client->send_message(message)), first);
}

// must-pass J5: nothing is told about the first.
TEST_F(RetrySuite, CreateAccountWithAnotherPasswordIsInvalid) {
  const auto client = cluster_.client();
  v1::CreateAccountRequest create;
  create.set_name("ann");
  create.set_password("correct horse");
  create.set_request_id(new_request_id());
  ASSERT_TRUE(
      std::holds_alternative<client::Done<v1::CreateAccountResponse>>(client->create_account(create)));
  create.set_password("battery staple");
  const auto outcome = client->create_account(create);
  ASSERT_TRUE(std::holds_alternative<client::Refused>(outcome));
  EXPECT_EQ(std::get<client::Refused>(outcome).error.code, base::Code::invalid_argument);
  create.set_password("correct horse");
  EXPECT_TRUE(
      std::holds_alternative<client::Done<v1::CreateAccountResponse>>(client->create_account(create)));
}

TEST_F(RetrySuite, TheSameIdForAnotherContentIsInvalid) {
  const auto client = cluster_.client();
  client->set_token(sign_up(*client, "ann"));
  v1::SendMessageRequest message;
  message.set_recipient("ann");
  message.set_body("one");
  message.set_request_id(new_request_id());
  ASSERT_TRUE(std::holds_alternative<client::Done<v1::SendMessageResponse>>(client->send_message(message)));
  message.set_body("another");
  const auto outcome = client->send_message(message);
  ASSERT_TRUE(std::holds_alternative<client::Refused>(outcome));
  EXPECT_EQ(std::get<client::Refused>(outcome).error.code, base::Code::invalid_argument);
}

}  // namespace
}  // namespace parley::testing
