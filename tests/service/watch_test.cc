// Watch and WatchStatus through the service.
#include <gtest/gtest.h>

#include "tests/service/api.h"

namespace parley::test {
namespace {

template <class Request>
std::unique_ptr<service::StreamHandle> open(Api& api, const Request& request, const User& user,
                                            const std::shared_ptr<Recorder>& recorder) {
  return api.service->open(*service::find_method(Api::service_of<Request>(), Api::method_of<Request>()),
                           request.SerializeAsString(), {.authorization = user.authorization()}, recorder);
}

TEST(Watch, BeginsWithAHeartbeatAndThenBringsWhatHappens) {
  Api api;
  const User alice = api.create("alice");
  const User bob = api.create("bob");
  const auto recorder = std::make_shared<Recorder>();
  const auto handle = open(api, v1::WatchRequest(), bob, recorder);
  const auto first = recorder->next<v1::WatchResponse>();
  ASSERT_TRUE(first);
  ASSERT_TRUE(first->has_heartbeat());
  EXPECT_EQ(first->position(), bob.id);
  EXPECT_TRUE(first->heartbeat().writable());
  const auto sent = api.send(alice, "bob", "hello");
  const auto second = recorder->next<v1::WatchResponse>();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->position(), sent.id());
  EXPECT_EQ(second->message().body(), "hello");
  EXPECT_EQ(second->request_id(), "") << "only on its author's streams";
  EXPECT_EQ(second->message().request_id(), "");
  v1::MarkReadRequest mark;
  mark.add_message_ids(sent.id());
  ASSERT_TRUE(api.call<v1::MarkReadResponse>(mark, bob.authorization()));
  const auto third = recorder->next<v1::WatchResponse>();
  ASSERT_TRUE(third);
  EXPECT_EQ(third->read().message_ids(0), sent.id());
  EXPECT_FALSE(third->request_id().empty());
}

TEST(Watch, ResumesAfterAPosition) {
  Api api;
  const User alice = api.create("alice");
  const auto first = api.send(alice, "alice", "one");
  const auto second = api.send(alice, "alice", "two");
  v1::WatchRequest request;
  request.set_after_position(first.id());
  const auto recorder = std::make_shared<Recorder>();
  const auto handle = open(api, request, alice, recorder);
  ASSERT_TRUE(recorder->next<v1::WatchResponse>()->has_heartbeat());
  const auto event = recorder->next<v1::WatchResponse>();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->position(), second.id());
  EXPECT_EQ(event->message().request_id(), second.request_id());
}

TEST(Watch, AnotherClustersPositionIsAResync) {
  Api api;
  const User alice = api.create("alice");
  v1::WatchRequest request;
  request.set_after_position(5);
  request.set_cluster_id(std::string(32, 'f'));
  const auto recorder = std::make_shared<Recorder>();
  const auto handle = open(api, request, alice, recorder);
  const auto first = recorder->next<v1::WatchResponse>();
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->has_resync());
}

TEST(Watch, EndsWithItsSession) {
  Api api;
  const User alice = api.create("alice");
  const auto recorder = std::make_shared<Recorder>();
  const auto handle = open(api, v1::WatchRequest(), alice, recorder);
  ASSERT_TRUE(api.call<v1::LogOutResponse>(v1::LogOutRequest(), alice.authorization()));
  const auto end = recorder->wait_for_end();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, base::Code::unauthenticated);
}

TEST(Watch, NeedsALivingSession) {
  Api api;
  const User alice = api.create("alice");
  ASSERT_TRUE(api.call<v1::LogOutResponse>(v1::LogOutRequest(), alice.authorization()));
  const auto ended = std::make_shared<Recorder>();
  const auto first = open(api, v1::WatchRequest(), alice, ended);
  ASSERT_TRUE(ended->wait_for_end());
  EXPECT_EQ(ended->wait_for_end()->code, base::Code::unauthenticated);
  const auto nobody = std::make_shared<Recorder>();
  const auto second = open(api, v1::WatchRequest(), User{}, nobody);
  EXPECT_EQ(nobody->wait_for_end()->code, base::Code::unauthenticated);
}

TEST(Watch, APositionThatNothingCanHaveIsRefused) {
  Api api;
  const User alice = api.create("alice");
  v1::WatchRequest request;
  request.set_after_position(std::uint64_t{1} << 63);
  const auto ended = std::make_shared<Recorder>();
  const auto subscription = open(api, request, alice, ended);
  ASSERT_TRUE(ended->wait_for_end());
  EXPECT_EQ(ended->wait_for_end()->code, base::Code::invalid_argument);
  EXPECT_EQ(ended->wait_for_end()->field, "after_position");
  EXPECT_EQ(ended->wait_for_end()->limit, "0 to 2^63 - 1");
}

TEST(Watch, ASlowReaderIsCutOff) {
  Api api;
  const User alice = api.create("alice");
  const auto recorder = std::make_shared<Recorder>(3);
  const auto handle = open(api, v1::WatchRequest(), alice, recorder);
  for (int i = 0; i < 5; ++i) {
    (void)api.send(alice, "alice", "event " + std::to_string(i));
  }
  const auto end = recorder->wait_for_end();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, base::Code::resource_exhausted);
  EXPECT_EQ(api.node.watchers(), 0U) << "the node has let go of it";
}

TEST(Watch, ClosingItEndsTheSubscription) {
  Api api;
  const User alice = api.create("alice");
  const auto recorder = std::make_shared<Recorder>();
  auto handle = open(api, v1::WatchRequest(), alice, recorder);
  ASSERT_TRUE(recorder->next_bytes());
  EXPECT_EQ(api.node.watchers(), 1U);
  handle.reset();
  EXPECT_EQ(api.node.watchers(), 0U);
  (void)api.send(alice, "alice", "for nobody");
}

TEST(Watch, ShutdownEndsAllStreams) {
  Api api;
  const User alice = api.create("alice");
  const auto recorder = std::make_shared<Recorder>();
  const auto handle = open(api, v1::WatchRequest(), alice, recorder);
  api.service->begin_shutdown();
  EXPECT_EQ(recorder->wait_for_end()->code, base::Code::unavailable);
  const auto refused = api.call<v1::GetStatusResponse>(v1::GetStatusRequest(), alice.authorization());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::unavailable);
}

TEST(WatchStatus, RepeatsItselfAndEndsWithItsSession) {
  Api api;
  const User alice = api.create("alice");
  v1::WatchStatusRequest request;
  request.set_interval_ms(100);
  const auto recorder = std::make_shared<Recorder>();
  const auto handle = open(api, request, alice, recorder);
  for (int i = 0; i < 3; ++i) {
    const auto status = recorder->next<v1::WatchStatusResponse>();
    ASSERT_TRUE(status);
    EXPECT_EQ(status->status().node_id(), 1U);
    EXPECT_EQ(status->status().version(), "test");
  }
  ASSERT_TRUE(api.call<v1::LogOutResponse>(v1::LogOutRequest(), alice.authorization()));
  EXPECT_EQ(recorder->wait_for_end()->code, base::Code::unauthenticated);
}

TEST(WatchStatus, TheIntervalIsBounded) {
  Api api;
  const User alice = api.create("alice");
  v1::WatchStatusRequest request;
  request.set_interval_ms(1);
  const auto recorder = std::make_shared<Recorder>();
  const auto handle = open(api, request, alice, recorder);
  const auto end = recorder->wait_for_end();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->field, "interval_ms");
}

TEST(Backup, IsNotImplementedAndSaysSoByName) {
  Api api;
  const auto recorder = std::make_shared<Recorder>();
  const auto handle = open(api, v1::BackupRequest(), User{}, recorder);
  const auto end = recorder->wait_for_end();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, base::Code::unimplemented);
  EXPECT_NE(end->message.find("Backup"), std::string::npos);
}

}  // namespace
}  // namespace parley::test
