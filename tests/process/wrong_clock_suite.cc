// J16 against real processes: one node's wall clock is a year ahead or two days back, from its start or by a
// jump. Honest clients go on, by the clocks of the others; nothing expires early, nothing lives for ever.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include "base/uuid7.h"
#include "client/request_ids.h"
#include "tests/process/cluster.h"
#include "tests/process/node_faults.h"
#include "tests/process/talk.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::system_clock;

using Sent = client::Done<v1::SendMessageResponse>;

constexpr hours kYearAhead{365 * 24};
constexpr hours kTwoDaysBack{-48};
// Of the clocks of one machine; an hour is far less than any fault here.
constexpr hours kNear{1};

system_clock::time_point to_time(const google::protobuf::Timestamp& time) {
  return system_clock::time_point(std::chrono::seconds(time.seconds()));
}

bool is_near(system_clock::time_point one, system_clock::time_point other) {
  return one - other < kNear && other - one < kNear;
}

std::string request_id_at(system_clock::time_point time) {
  return base::to_string(base::make_request_id(
      std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count(), {1, 2, 3, 4, 5}));
}

class WrongClockSuite : public ::testing::TestWithParam<hours> {
 protected:
  [[nodiscard]] NodeFaults& faults(int node) { return faults_[static_cast<std::size_t>(node - 1)]; }

  void sign_up_ann() {
    ann_ = cluster_.client();
    ann_->set_token(sign_up(*ann_, "ann"));
    first_.set_recipient("ann");
    first_.set_body("first");
    first_.set_request_id(client::RequestIds({}).make());
    const auto outcome = ann_->send_message(first_);
    ASSERT_TRUE(std::holds_alternative<Sent>(outcome));
    first_position_ = std::get<Sent>(outcome).answer.position();
  }

  // Everything that an honest client does, through one node after the other, for longer than a leader takes
  // to look at its clock.
  void expect_honest_clients_go_on() {
    for (const int node : cluster_.ids()) {
      SCOPED_TRACE(fmt::format("node {}", node));
      const auto here = cluster_.client({node});
      here->set_token(ann_->token());
      const auto until = std::chrono::steady_clock::now() + milliseconds(200);
      do {
        v1::SendMessageRequest note;
        note.set_recipient("ann");
        note.set_body("honest");
        const auto outcome = here->send_message(note);
        ASSERT_TRUE(std::holds_alternative<Sent>(outcome));
        const auto& message = std::get<Sent>(outcome).answer.message();
        ASSERT_TRUE(is_near(to_time(message.sent_at()), system_clock::now())) << message.ShortDebugString();
      } while (std::chrono::steady_clock::now() < until);
      expect_result_is_kept(*here);
      expect_session_lasts_a_month(*here);
      expect_id_of_next_year_is_refused(*here);
    }
  }

  void expect_result_is_kept(client::Client& here) const {
    const auto again = here.send_message(first_);
    ASSERT_TRUE(std::holds_alternative<Sent>(again));
    EXPECT_EQ(std::get<Sent>(again).answer.position(), first_position_);
  }

  static void expect_session_lasts_a_month(client::Client& here) {
    v1::LogInRequest log_in;
    log_in.set_name("ann");
    log_in.set_password("correct horse");
    const auto outcome = here.log_in(log_in);
    ASSERT_TRUE(std::holds_alternative<client::Done<v1::LogInResponse>>(outcome));
    const auto expires = to_time(std::get<client::Done<v1::LogInResponse>>(outcome).answer.expires_at());
    EXPECT_TRUE(is_near(expires, system_clock::now() + hours(30 * 24)))
        << (expires - system_clock::now()) / hours(24) << " days";
  }

  static void expect_id_of_next_year_is_refused(client::Client& here) {
    v1::SendMessageRequest note;
    note.set_recipient("ann");
    note.set_body("of next year");
    note.set_request_id(request_id_at(system_clock::now() + kYearAhead));
    const auto outcome = here.send_message(note);
    ASSERT_TRUE(std::holds_alternative<client::Refused>(outcome));
    const auto& error = std::get<client::Refused>(outcome).error;
    EXPECT_EQ(base::to_string(error.code), "FAILED_PRECONDITION") << error.message;
    EXPECT_TRUE(
        is_near(system_clock::time_point(milliseconds(error.server_time_unix_ms)), system_clock::now()));
  }

  void expect_every_message_once() {
    const auto all = inbox_of(cluster_, {1}, ann_->token());
    EXPECT_EQ(all.front().body, "first");
    for (const Acknowledged& message : all) {
      EXPECT_NE(message.body, "of next year");
    }
    for (const int node : cluster_.ids()) {
      EXPECT_EQ(inbox_of(cluster_, {node}, ann_->token()), all) << "node " << node;
    }
  }

  std::vector<NodeFaults> faults_{3};
  Cluster cluster_{with_faults({.nodes = 3, .start_now = false}, faults_)};
  std::unique_ptr<client::Client> ann_;
  v1::SendMessageRequest first_;
  std::uint64_t first_position_ = 0;
};

TEST_P(WrongClockSuite, J16_ANodeWhoseClockIsOffFromTheStart) {
  faults(1).set_wall_offset(GetParam());
  // Alone at first: it has to find the others by trying again.
  cluster_.start(1);
  ASSERT_TRUE(wait_until([&] { return cluster_.log(1).contains("waiting for nodes 2, 3"); }));
  cluster_.start_all();
  cluster_.wait_for_leader();
  ASSERT_NO_FATAL_FAILURE(sign_up_ann());
  ASSERT_NO_FATAL_FAILURE(expect_honest_clients_go_on());
  // It falls, and comes back.
  cluster_.stop(1, SIGKILL);
  cluster_.wait_for_leader_among({2, 3});
  cluster_.start(1);
  cluster_.wait_for_leader();
  ASSERT_NO_FATAL_FAILURE(expect_honest_clients_go_on());
  expect_every_message_once();
}

TEST_P(WrongClockSuite, J16_TheLeadersClockJumpsAndBack) {
  cluster_.start_all();
  const int leader = cluster_.wait_for_leader();
  ASSERT_NO_FATAL_FAILURE(sign_up_ann());
  faults(leader).set_wall_offset(GetParam());
  ASSERT_NO_FATAL_FAILURE(expect_honest_clients_go_on());
  // Who leads next goes on with what the last one said.
  cluster_.stop(leader, SIGKILL);
  const int next = cluster_.wait_for_leader_among(cluster_.all_but(leader));
  cluster_.start(leader);
  cluster_.wait_for_leader();
  ASSERT_NO_FATAL_FAILURE(expect_honest_clients_go_on());
  // Never two wrong ones at a time: they would be the majority of three.
  faults(leader).set_wall_offset(hours(0));
  ASSERT_NO_FATAL_FAILURE(expect_honest_clients_go_on());
  faults(next).set_wall_offset(GetParam());
  ASSERT_NO_FATAL_FAILURE(expect_honest_clients_go_on());
  expect_every_message_once();
}

TEST_P(WrongClockSuite, J16_AFollowersClockJumps) {
  cluster_.start_all();
  const int leader = cluster_.wait_for_leader();
  ASSERT_NO_FATAL_FAILURE(sign_up_ann());
  faults(cluster_.any_follower(leader)).set_wall_offset(GetParam());
  ASSERT_NO_FATAL_FAILURE(expect_honest_clients_go_on());
  expect_every_message_once();
}

// What waits by the wall clock, as gRPC's timers do, must not wait two days more: who comes back is found
// again. On a busy machine another may lead meanwhile, and finds it by a right clock: then it is tried again.
TEST_P(WrongClockSuite, J16_TheLeaderWhoseClockJumpedStillFindsWhoComesBack) {
  cluster_.start_all();
  cluster_.wait_for_leader();
  ASSERT_NO_FATAL_FAILURE(sign_up_ann());
  bool led_all_along = false;
  for (int attempt = 0; attempt < 5 && !led_all_along; ++attempt) {
    const int leader = cluster_.wait_for_leader();
    const auto before = cluster_.status(leader).value_or(v1::GetStatusResponse());
    faults(leader).set_wall_offset(GetParam());
    ASSERT_NO_FATAL_FAILURE(expect_honest_clients_go_on());
    const int follower = cluster_.any_follower(leader);
    cluster_.stop(follower, SIGKILL);
    const auto here = cluster_.client({leader});
    here->set_token(ann_->token());
    const std::uint64_t position = send_note(*here, "ann", "while one is away");
    ASSERT_NE(position, 0U);
    cluster_.start(follower);
    cluster_.wait_until_applied({follower}, position);
    const auto after = cluster_.status(leader).value_or(v1::GetStatusResponse());
    led_all_along = after.role() == v1::ROLE_LEADER && after.term() == before.term();
    // Never two wrong ones at a time: they would be the majority of three.
    faults(leader).set_wall_offset(hours(0));
  }
  EXPECT_TRUE(led_all_along);
}

// Whose own clock is off makes its request ids by the servers' time.
TEST_P(WrongClockSuite, J16_AClientWhoseOwnClockIsOff) {
  cluster_.start_all();
  cluster_.wait_for_leader();
  NodeFaults own;
  own.set_wall_offset(GetParam());
  CliRunner ann(cluster_.servers());
  ann.set_wrapper(own.wrapper());
  ASSERT_EQ(ann.run({"register", "ann", "--password-stdin"}, "correct horse\n").exit_code, 0);
  const auto sent = ann.run({"send", "ann", "from another year"});
  EXPECT_EQ(sent.exit_code, 0) << sent.err;
  EXPECT_THAT(ann.run({"inbox"}).out, ::testing::HasSubstr("from another year"));
}

INSTANTIATE_TEST_SUITE_P(WrongClockSuite, WrongClockSuite, ::testing::Values(kYearAhead, kTwoDaysBack),
                         [](const auto& offset) {
                           return std::string(offset.param > hours(0) ? "AYearAhead" : "TwoDaysBack");
                         });

}  // namespace
}  // namespace parley::testing
