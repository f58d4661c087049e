// A retry with the same request_id returns the first result and changes nothing: after a lost reply, a change
// of leader, and a restart of all nodes with another leader, always through another node (must-pass I, J5).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/client.h"
#include "client/request_ids.h"
#include "client/watch.h"
#include "tests/process/cluster.h"
#include "tests/process/faulty_proxy.h"
#include "tests/process/talk.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::StartsWith;

// The write that is refused, in the log.
constexpr const char* kRefusedWrite = "SendMessage to nobody";

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

// Who the writes are about: a token each, and two messages that bob has received.
struct People {
  std::string prefix;  // of their names
  std::string ann;
  std::string bob;
  std::string leaver;
  std::string changer;
  std::string goner;
  std::uint64_t to_read = 0;
  std::uint64_t to_delete = 0;
};

People make_people(client::Client& client, const std::string& prefix) {
  People people{.prefix = prefix};
  people.ann = sign_up(client, prefix + "ann");
  people.bob = sign_up(client, prefix + "bob");
  people.leaver = sign_up(client, prefix + "leaver");
  people.changer = sign_up(client, prefix + "changer");
  people.goner = sign_up(client, prefix + "goner");
  client.set_token(people.ann);
  people.to_read = send_note(client, prefix + "bob", "to be read");
  people.to_delete = send_note(client, prefix + "bob", "to be deleted");
  return people;
}

// A write that can be asked for again and again, with the same request_id.
struct Write {
  std::string name;
  std::string token;
  std::function<std::string(client::Client&)> ask;
};

// One of every kind that has a request_id: all but LogIn, which opens another session each time.
std::vector<Write> all_writes(const People& people) {
  v1::CreateAccountRequest create;
  create.set_name(people.prefix + "new");
  create.set_password("correct horse");
  create.set_request_id(new_request_id());
  v1::SendMessageRequest message;
  message.set_recipient(people.prefix + "bob");
  message.set_body("once");
  message.set_request_id(new_request_id());
  v1::SendMessageRequest to_nobody = message;
  to_nobody.set_recipient(people.prefix + "nobody");
  to_nobody.set_request_id(new_request_id());
  v1::MarkReadRequest read;
  read.add_message_ids(people.to_read);
  read.set_request_id(new_request_id());
  v1::DeleteMessagesRequest remove;
  remove.add_message_ids(people.to_delete);
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
      {"SendMessage", people.ann, [=](client::Client& client) { return told(client.send_message(message)); }},
      {kRefusedWrite, people.ann,
       [=](client::Client& client) { return told(client.send_message(to_nobody)); }},
      {"MarkRead", people.bob, [=](client::Client& client) { return told(client.mark_read(read)); }},
      {"DeleteMessages", people.bob,
       [=](client::Client& client) { return told(client.delete_messages(remove)); }},
      {"LogOut", people.leaver, [=](client::Client& client) { return told(client.log_out(log_out)); }},
      {"ChangePassword", people.changer,
       [=](client::Client& client) { return told(client.change_password(change)); }},
      {"DeleteAccount", people.goner,
       [=](client::Client& client) { return told(client.delete_account(gone)); }},
  };
}

std::string ask_at(const Cluster& cluster, int node, const Write& write) {
  const auto client = cluster.client({node});
  client->set_token(write.token);
  return write.ask(*client);
}

// The token; empty: refused.
std::string log_in(client::Client& client, const std::string& name, const std::string& password) {
  v1::LogInRequest request;
  request.set_name(name);
  request.set_password(password);
  const auto outcome = client.log_in(request);
  const auto* const done = std::get_if<client::Done<v1::LogInResponse>>(&outcome);
  return done == nullptr ? "" : done->answer.token();
}

bool is_session(client::Client& client, const std::string& token) {
  client.set_token(token);
  return client.list_messages({}).has_value();
}

bool is_account(client::Client& client, const std::string& name) {
  v1::GetAccountRequest request;
  request.set_name(name);
  return client.get_account(request).has_value();
}

// Whether every write has had the effect that it is to have once. One of them has none: it was refused.
bool all_are_done(client::Client& client, const People& people) {
  if (is_session(client, people.leaver) || is_session(client, people.goner)) {
    return false;
  }
  client.set_token(people.bob);
  const auto inbox = client.list_messages({});
  return is_account(client, people.prefix + "new") && !is_account(client, people.prefix + "goner") && inbox &&
         inbox->messages_size() == 2 && inbox->messages(0).id() == people.to_read &&
         inbox->messages(0).read() && inbox->messages(1).body() == "once" &&
         log_in(client, people.prefix + "changer", "correct horse").empty() &&
         !log_in(client, people.prefix + "changer", "battery staple").empty();
}

// What those whose session, password or account is gone do next: a write that is done a second time would
// undo it.
struct NextLives {
  std::string leaver;
  std::string changer;
  std::string goner;
  std::uint64_t position = 0;  // after all of it
};

NextLives live_on(client::Client& client, const People& people) {
  NextLives lives;
  lives.leaver = log_in(client, people.prefix + "leaver", "correct horse");
  lives.changer = log_in(client, people.prefix + "changer", "battery staple");
  lives.goner = sign_up(client, people.prefix + "goner");
  client.set_token(people.bob);
  lives.position = send_note(client, people.prefix + "ann", "all is done");
  EXPECT_NE(lives.position, 0U);
  return lives;
}

template <class Answer>
std::string shown(base::Result<Answer> answer) {
  if (!answer) {
    ADD_FAILURE() << answer.error().message;
    return answer.error().message;
  }
  answer->clear_as_of();
  return answer->ShortDebugString() + "\n";
}

// All that people see of it.
std::string picture(client::Client& client, const People& people) {
  v1::ListAccountsRequest accounts;
  accounts.set_pattern(people.prefix + "*");
  client.set_token(people.bob);
  std::string picture = shown(client.list_accounts(accounts));
  for (const std::string& token : {people.ann, people.bob}) {
    client.set_token(token);
    v1::ListMessagesRequest conversation;
    conversation.set_peer(people.prefix + (token == people.ann ? "bob" : "ann"));
    picture += shown(client.list_messages({})) + shown(client.list_messages(conversation)) +
               shown(client.list_conversations({})) + shown(client.get_unread_counts({}));
  }
  return picture;
}

// What a watch is told, as text.
class Events final : public client::WatchHandler {
 public:
  void on_connected(const std::string&, std::uint64_t) override {}
  void on_event(const v1::WatchResponse& event) override {
    if (!event.has_heartbeat()) {
      add(event.has_message() ? event.message().body() : event.ShortDebugString());
    }
  }
  void on_resync() override { add("resync"); }
  void on_trouble(const std::string&, const base::Error&) override {}
  void on_end(const base::Error& error) override { add("end: " + error.message); }

  [[nodiscard]] std::vector<std::string> all() const {
    const std::scoped_lock lock(mutex_);
    return all_;
  }

 private:
  void add(std::string event) {
    const std::scoped_lock lock(mutex_);
    all_.push_back(std::move(event));
  }
  mutable std::mutex mutex_;
  std::vector<std::string> all_;
};

class RetrySuite : public ::testing::Test {
 protected:
  [[nodiscard]] std::uint64_t applied_at(int node) {
    return cluster_.status(node).value_or(v1::GetStatusResponse()).applied_index();
  }

  // Every one again through every node.
  void expect_first_results(const std::vector<Write>& writes,
                            const std::map<std::string, std::string>& first) const {
    for (const Write& write : writes) {
      const bool is_refused = first.at(write.name).starts_with("refused NOT_FOUND");
      EXPECT_EQ(is_refused, write.name == kRefusedWrite) << write.name << ": " << first.at(write.name);
      EXPECT_FALSE(first.at(write.name).starts_with("unknown")) << write.name << ": " << first.at(write.name);
      for (const int node : cluster_.ids()) {
        EXPECT_EQ(ask_at(cluster_, node, write), first.at(write.name))
            << write.name << " again, at node " << node;
      }
    }
  }

  // Since `lives` began: nothing that people see, no session, and no watcher was told of anything.
  void expect_nothing_changed(const People& people, const NextLives& lives, const std::string& before) const {
    const auto client = cluster_.client();
    EXPECT_EQ(picture(*client, people), before);
    for (const std::string& token : {lives.leaver, lives.changer, lives.goner}) {
      EXPECT_TRUE(is_session(*client, token)) << (token == lives.leaver    ? "leaver"
                                                  : token == lives.changer ? "changer"
                                                                           : "goner");
    }
    client->set_token(people.ann);
    EXPECT_NE(send_note(*client, people.prefix + "bob", "the next event"), 0U);
    for (const std::string& token : {people.ann, people.bob}) {
      client->set_token(token);
      Events events;
      const client::Watch watch(*client, {.after_position = lives.position}, events);
      EXPECT_TRUE(wait_until([&] {
        const auto all = events.all();
        return std::ranges::find(all, "the next event") != all.end();
      }));
      EXPECT_THAT(events.all(), ElementsAre("the next event")) << (token == people.ann ? "ann" : "bob");
    }
  }

  // Every write once, then `fault`, then every one again through every node.
  void run(const std::string& prefix, const std::function<void()>& fault) {
    const auto everywhere = cluster_.client();
    const People people = make_people(*everywhere, prefix);
    const auto writes = all_writes(people);
    const int leader = cluster_.wait_for_leader();
    std::map<std::string, std::string> first;
    for (const Write& write : writes) {
      first[write.name] = ask_at(cluster_, leader, write);
    }
    ASSERT_TRUE(all_are_done(*everywhere, people));
    const NextLives lives = live_on(*everywhere, people);
    const std::string before = picture(*everywhere, people);
    fault();
    cluster_.wait_for_leader();
    expect_first_results(writes, first);
    expect_nothing_changed(people, lives, before);
  }

  // Asks for every write through a node whose answers get lost.
  void lose_replies(int node, const std::vector<Write>& writes, const std::string& any_token) const {
    FaultyProxy proxy(cluster_.client_address(node));
    client::ClientOptions options;
    options.servers = {proxy.address()};
    options.token = any_token;
    // One attempt each, and no connection is given up before it is over. The node has as long for the write:
    // all are to happen, on a busy machine too.
    options.timeout = std::chrono::seconds(15);
    options.attempt_timeout = options.timeout;
    options.keepalive_interval = std::chrono::minutes(1);
    std::vector<std::unique_ptr<client::Client>> clients;
    for (const Write& write : writes) {
      clients.push_back(std::make_unique<client::Client>(options));
      // A connection is made first, so that the request itself gets through.
      EXPECT_TRUE(wait_until([&] { return clients.back()->get_status({}).has_value(); }));
      clients.back()->set_token(write.token);
    }
    proxy.drop_replies();
    std::vector<std::string> answers(writes.size());
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < writes.size(); ++i) {
        threads.emplace_back([&, i] { answers[i] = writes[i].ask(*clients[i]); });
      }
    }
    EXPECT_THAT(answers, Each(StartsWith("unknown")));
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
  const auto everywhere = cluster_.client();
  const People people = make_people(*everywhere, "p.");
  const auto writes = all_writes(people);
  const int leader = cluster_.wait_for_leader();
  const std::uint64_t before = applied_at(leader);
  lose_replies(leader, writes, people.bob);
  // Seen by what they do: entries of the cluster's own move the position too.
  ASSERT_TRUE(wait_until([&] { return all_are_done(*everywhere, people); }, std::chrono::minutes(2)));
  const NextLives lives = live_on(*everywhere, people);
  const std::string seen = picture(*everywhere, people);
  std::map<std::string, std::string> first;
  for (const Write& write : writes) {
    first[write.name] = ask_at(cluster_, cluster_.any_follower(leader), write);
    EXPECT_GT(position_in(first[write.name]), before) << first[write.name];
    // What was refused did nothing that could be waited for; that it is remembered, the other nodes show.
    EXPECT_TRUE(position_in(first[write.name]) < lives.position || write.name == kRefusedWrite)
        << "the second attempt was not remembered, but executed: " << first[write.name];
  }
  expect_first_results(writes, first);
  expect_nothing_changed(people, lives, seen);
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
