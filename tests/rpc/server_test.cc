// The API over real gRPC on loopback: bytes in and out, errors with details, streams, limits, garbage,
// stopping.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "base/limits.h"
#include "parley/internal/v1/grpc_health.grpc.pb.h"
#include "parley/v1/api.grpc.pb.h"
#include "rpc/server.h"
#include "service/error_codec.h"
#include "tests/rpc/reflection_talk.h"
#include "tests/service/api.h"
#include "tests/support/wait_until.h"

namespace parley::test {
namespace {

using namespace std::chrono_literals;
using parley::testing::wait_until;
using ::testing::HasSubstr;

rpc::ServerOptions loopback() { return {.listen = {"127.0.0.1", 0}}; }

class RpcServer : public ::testing::Test {
 protected:
  explicit RpcServer(rpc::ServerOptions options = loopback(),
                     service::ServiceOptions service = quick_options())
      : api_(std::move(service)) {
    auto started = rpc::Server::listen(std::move(options));
    EXPECT_TRUE(started) << (started ? "" : started.error());
    server_ = *std::move(started);
    server_->serve(*api_.service);
    channel_ = grpc::CreateChannel(target(), grpc::InsecureChannelCredentials());
    accounts_ = v1::AccountService::NewStub(channel_);
    messages_ = v1::MessageService::NewStub(channel_);
    cluster_ = v1::ClusterService::NewStub(channel_);
  }

  [[nodiscard]] std::string target() const { return "127.0.0.1:" + std::to_string(server_->port()); }

  // A call by its path, with whatever bytes.
  grpc::Status call_raw(const std::string& path, const std::string& bytes, std::string* answer = nullptr,
                        const std::string& authorization = {}) {
    grpc::CompletionQueue queue;
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    if (!authorization.empty()) {
      context.AddMetadata("authorization", authorization);
    }
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::Status status;
    auto call = stub.PrepareUnaryCall(&context, path, request, &queue);
    call->StartCall();
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    grpc::Slice flat;
    if (answer != nullptr && status.ok() && response.DumpToSingleSlice(&flat).ok()) {
      answer->assign(reinterpret_cast<const char*>(flat.begin()), flat.size());
    }
    return status;
  }

  // For a watcher of `user` who does not read: gRPC's window fills, then the queue, and then the watch ends.
  void fill_up(const User& user) {
    const std::string body(base::kMaxBodyBytes, 'x');
    EXPECT_TRUE(wait_until(
        [&] {
          (void)api_.send(user, user.name, body);
          return api_.node.watchers() == 0;
        },
        std::chrono::minutes(1), 0ms));
  }

  static void authorize(grpc::ClientContext& context, const User& user) {
    context.AddMetadata("authorization", user.authorization());
  }

  Api api_;
  std::unique_ptr<rpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::AccountService::Stub> accounts_;
  std::unique_ptr<v1::MessageService::Stub> messages_;
  std::unique_ptr<v1::ClusterService::Stub> cluster_;
};

base::Error details(const grpc::Status& status) {
  const auto error = service::decode_status_details(status.error_details());
  EXPECT_TRUE(error) << "no ErrorInfo with: " << status.error_message();
  return error.value_or(base::Error{});
}

TEST_F(RpcServer, AConversation) {
  v1::CreateAccountRequest create;
  create.set_name("alice");
  create.set_password("password one");
  v1::CreateAccountResponse created;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(accounts_->CreateAccount(&context, create, &created).ok());
  }
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + created.token());
  v1::SendMessageRequest send;
  send.set_recipient("alice");
  send.set_body("hello");
  v1::SendMessageResponse sent;
  ASSERT_TRUE(messages_->SendMessage(&context, send, &sent).ok());
  EXPECT_EQ(sent.message().body(), "hello");
}

TEST_F(RpcServer, AnErrorCarriesItsInfoInTheDetails) {
  grpc::ClientContext context;
  v1::LogInRequest request;
  request.set_name("two words");
  v1::LogInResponse response;
  const auto status = accounts_->LogIn(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const auto error = details(status);
  EXPECT_EQ(error.field, "name");
  EXPECT_THAT(error.limit, HasSubstr("1 to 32"));
  EXPECT_EQ(error.outcome, base::Outcome::refused);
  EXPECT_EQ(error.message, status.error_message());
}

TEST_F(RpcServer, EveryMethodIsReachedByItsName) {
  for (const auto& method : service::methods()) {
    const auto path = "/" + std::string(method.service) + "/" + std::string(method.name);
    const auto status = call_raw(path, "");
    EXPECT_FALSE(status.ok()) << path << " without a token";
    EXPECT_FALSE(details(status).reason.empty()) << path;
  }
  const auto absent = call_raw("/parley.v1.MessageService/Absent", "");
  EXPECT_EQ(absent.error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(RpcServer, TextThatIsNoUtf8ReachesOurOwnRules) {
  for (const auto& method : service::methods()) {
    const auto* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
        "parley.v1." + std::string(method.name) + "Request");
    for (int i = 0; i < type->field_count(); ++i) {
      const auto* field = type->field(i);
      if (field->type() != google::protobuf::FieldDescriptor::TYPE_STRING) {
        continue;
      }
      std::string bytes(1, static_cast<char>((field->number() << 3) | 2));
      bytes += "\x01\xff";
      const auto status = call_raw("/" + std::string(method.service) + "/" + std::string(method.name), bytes);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT)
          << method.name << " " << field->name();
      EXPECT_THAT(status.error_message(), HasSubstr("UTF-8"));
      EXPECT_EQ(details(status).field, field->name());
    }
  }
}

TEST_F(RpcServer, ReflectionListsTheServices) {
  ReflectionTalk talk(channel_);
  const auto listed = talk.ask(reflection_request(7, "*"));
  ASSERT_TRUE(listed);
  for (const char* name : {"parley.v1.AccountService", "parley.v1.MessageService", "parley.v1.ClusterService",
                           "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}) {
    EXPECT_THAT(*listed, HasSubstr(name));
  }
  EXPECT_TRUE(talk.end().ok());
}

TEST_F(RpcServer, ReflectionDescribesWhatIsServedWithAllThatItImports) {
  ReflectionTalk talk(channel_);
  const auto by_symbol = talk.ask(reflection_request(4, "parley.v1.MessageService"));
  ASSERT_TRUE(by_symbol);
  for (const char* part : {"parley/v1/api.proto", "SendMessageRequest", "google/protobuf/timestamp.proto"}) {
    EXPECT_THAT(*by_symbol, HasSubstr(part));
  }
  const auto by_name = talk.ask(reflection_request(3, "google/protobuf/timestamp.proto"));
  ASSERT_TRUE(by_name);
  EXPECT_THAT(*by_name, HasSubstr("nanos"));
  const auto absent = talk.ask(reflection_request(4, "parley.v1.Nothing"));
  ASSERT_TRUE(absent);
  EXPECT_THAT(*absent, HasSubstr("There is no parley.v1.Nothing here."));
  const auto nothing_asked = talk.ask("");
  ASSERT_TRUE(nothing_asked);
  EXPECT_THAT(*nothing_asked, HasSubstr("asks nothing"));
}

TEST_F(RpcServer, ReflectionRefusesWhatDoesNotParse) {
  ReflectionTalk talk(channel_);
  EXPECT_FALSE(talk.ask("\x3a\x7f"));
  EXPECT_EQ(talk.end().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(RpcServer, ReflectionRefusesWhatIsTooLarge) {
  ReflectionTalk talk(channel_);
  EXPECT_FALSE(talk.ask(std::string(5 * base::kMaxRequestBytes, 'x')));
  const auto status = talk.end();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(details(status).reason, "REQUEST_TOO_LARGE");
}

TEST_F(RpcServer, HealthSaysServing) {
  std::string answer;
  ASSERT_TRUE(call_raw("/grpc.health.v1.Health/Check", "", &answer).ok());
  EXPECT_EQ(answer, "\x08\x01");
}

grpc::Status check_health(const std::shared_ptr<grpc::Channel>& channel, const std::string& service,
                          grpc::health::v1::HealthCheckResponse& response) {
  const auto health = grpc::health::v1::Health::NewStub(channel);
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  return health->Check(&context, request, &response);
}

TEST_F(RpcServer, HealthKnowsTheNamesOfTheServices) {
  using grpc::health::v1::HealthCheckResponse;
  HealthCheckResponse response;
  ASSERT_TRUE(check_health(channel_, "parley.v1.MessageService", response).ok());
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  EXPECT_EQ(check_health(channel_, "parley.v1.NoService", response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(RpcServer, WhoWatchesHealthIsToldOfTheEnd) {
  using grpc::health::v1::HealthCheckResponse;
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  grpc::ClientContext context;
  grpc::ClientContext context_of_unknown;
  grpc::health::v1::HealthCheckRequest request;
  const auto watch = health->Watch(&context, request);
  request.set_service("parley.v1.NoService");
  const auto unknown = health->Watch(&context_of_unknown, request);
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  ASSERT_TRUE(unknown->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  std::thread stopping([this] { server_->stop(10s); });
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(unknown->Read(&response));
  EXPECT_EQ(unknown->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  stopping.join();
}

// gRPC's callback services bring threads of their own, which poll the sockets of all others.
TEST_F(RpcServer, NoThreadOfCallbacksPollsTheSockets) {
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(check_health(channel_, "", response).ok());
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "comm");
    std::string name;
    std::getline(file, name);
    EXPECT_NE(name, "nexting_thread");
  }
}

// By our own word, also where gRPC would refuse it by its own (4 MiB, if it is told nothing), and whatever is
// called.
TEST_F(RpcServer, RequestsThatAreTooLargeAreRefusedByTheNameOfTheLimit) {
  for (const char* path : {"/parley.v1.MessageService/SendMessage", "/parley.v1.MessageService/Watch",
                           "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"}) {
    for (const std::size_t size_bytes :
         {base::kMaxRequestBytes + 1, 5 * base::kMaxRequestBytes, 17 * base::kMaxRequestBytes}) {
      const auto status = call_raw(path, std::string(size_bytes, 'x'));
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << path << " " << size_bytes;
      EXPECT_THAT(status.error_message(), HasSubstr(std::to_string(size_bytes)));
      EXPECT_THAT(status.error_message(), HasSubstr("at most 1048576"));
      const auto error = details(status);
      EXPECT_EQ(error.reason, "REQUEST_TOO_LARGE");
      EXPECT_EQ(error.outcome, base::Outcome::refused);
      EXPECT_THAT(error.limit, HasSubstr("1048576"));
    }
  }
  EXPECT_EQ(api_.service->open_streams(), 0U);
}

// Beyond any bound of ours: gRPC's own refusal, which names the bound of a message.
TEST_F(RpcServer, WhatIsFarTooLargeDoesNotComeIn) {
  const auto status =
      call_raw("/parley.v1.MessageService/SendMessage", std::string(65 * base::kMaxRequestBytes, 'x'));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("larger than max"));
}

// A few KiB may unpack to gigabytes.
TEST_F(RpcServer, WhatIsCompressedIsNotUnpacked) {
  const User alice = api_.create("alice");
  const auto writes = api_.node.writes();
  v1::SendMessageRequest request;
  request.set_recipient("alice");
  request.set_body(std::string(base::kMaxBodyBytes, 'x'));
  for (const auto algorithm : {GRPC_COMPRESS_GZIP, GRPC_COMPRESS_DEFLATE}) {
    grpc::ClientContext context;
    authorize(context, alice);
    context.set_compression_algorithm(algorithm);
    v1::SendMessageResponse response;
    const auto status = messages_->SendMessage(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
  }
  EXPECT_EQ(api_.node.writes(), writes);
  grpc::ClientContext context;
  authorize(context, alice);
  v1::SendMessageResponse response;
  EXPECT_TRUE(messages_->SendMessage(&context, request, &response).ok()) << "as it is, it is taken";
}

TEST_F(RpcServer, TheCallersDeadlineIsKept) {
  const User alice = api_.create("alice");
  api_.node.hold_answers(true);
  grpc::ClientContext context;
  authorize(context, alice);
  context.set_deadline(std::chrono::system_clock::now() + 50ms);
  v1::GetAccountRequest request;
  request.set_name("alice");
  v1::GetAccountResponse response;
  const auto status = accounts_->GetAccount(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  api_.node.hold_answers(false);
}

int connect_to(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

TEST_F(RpcServer, GarbageOnThePortHarmsNobody) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::string bytes = round % 2 == 0 ? "" : "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for (int i = 0; i < 2'000; ++i) {
      bytes.push_back(static_cast<char>(random()));
    }
    const int fd = connect_to(server_->port());
    (void)!send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    close(fd);
  }
  std::string answer;
  EXPECT_TRUE(call_raw("/grpc.health.v1.Health/Check", "", &answer).ok());
}

TEST_F(RpcServer, AWatchBringsEventsAndEndsWhenItsReaderGoes) {
  const User alice = api_.create("alice");
  {
    grpc::ClientContext context;
    authorize(context, alice);
    const auto stream = messages_->Watch(&context, v1::WatchRequest());
    v1::WatchResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_TRUE(response.has_heartbeat());
    const auto sent = api_.send(alice, "alice", "hello");
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.position(), sent.id());
    context.TryCancel();
    EXPECT_FALSE(stream->Finish().ok());
  }
  EXPECT_TRUE(wait_until([&] { return api_.node.watchers() == 0; }));
}

// What is there when it begins comes at once. The deadline is before the server's own keepalive would bring
// it.
TEST_F(RpcServer, AWatchThatMissedMessagesGetsThemAtOnce) {
  const User alice = api_.create("alice");
  v1::WatchRequest from;
  from.set_after_position(api_.send(alice, "alice", "seen").id());
  const auto second = api_.send(alice, "alice", "missed");
  const auto third = api_.send(alice, "alice", "missed too");
  grpc::ClientContext context;
  authorize(context, alice);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(15));
  const auto stream = messages_->Watch(&context, from);
  v1::WatchResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.has_heartbeat());
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.position(), second.id());
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.position(), third.id());
  context.TryCancel();
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(RpcServer, AWatchThatIsRefusedSaysWhy) {
  grpc::ClientContext context;
  const auto stream = messages_->Watch(&context, v1::WatchRequest());
  v1::WatchResponse response;
  EXPECT_FALSE(stream->Read(&response));
  const auto status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(details(status).reason, "TOKEN_MISSING");
}

TEST_F(RpcServer, ManyCallsAtOnce) {
  const User alice = api_.create("alice");
  constexpr int kCalls = 500;
  grpc::CompletionQueue queue;
  std::vector<grpc::ClientContext> contexts(kCalls);
  std::vector<v1::SendMessageResponse> responses(kCalls);
  std::vector<grpc::Status> statuses(kCalls);
  std::vector<std::unique_ptr<grpc::ClientAsyncResponseReader<v1::SendMessageResponse>>> calls;
  v1::SendMessageRequest request;
  request.set_recipient("alice");
  request.set_body("hello");
  for (std::size_t i = 0; i < kCalls; ++i) {
    authorize(contexts[i], alice);
    calls.push_back(messages_->AsyncSendMessage(&contexts[i], request, &queue));
    calls.back()->Finish(&responses[i], &statuses[i], nullptr);
  }
  for (std::size_t i = 0; i < kCalls; ++i) {
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
  }
  for (const auto& status : statuses) {
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
}

TEST_F(RpcServer, StoppingEndsStreamsAndAnswersWhatIsUnderWay) {
  const User alice = api_.create("alice");
  grpc::ClientContext watch_context;
  authorize(watch_context, alice);
  const auto stream = messages_->Watch(&watch_context, v1::WatchRequest());
  v1::WatchResponse response;
  ASSERT_TRUE(stream->Read(&response));
  api_.node.hold_answers(true);
  std::thread waiting([&] {
    grpc::ClientContext context;
    authorize(context, alice);
    v1::SendMessageRequest request;
    request.set_recipient("alice");
    request.set_body("hello");
    v1::SendMessageResponse sent;
    EXPECT_FALSE(messages_->SendMessage(&context, request, &sent).ok()) << "its node never answered";
  });
  ASSERT_TRUE(wait_until([&] { return api_.node.held() == 1; }));
  api_.service->begin_shutdown();
  server_->stop(100ms);
  waiting.join();
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  api_.node.hold_answers(false);  // answers come after all: nobody is there, nothing breaks
}

TEST_F(RpcServer, BeforeItServesCallsWaitAndHealthSaysSo) {
  auto listening = rpc::Server::listen(loopback());
  ASSERT_TRUE(listening);
  channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string((*listening)->port()),
                                 grpc::InsecureChannelCredentials());
  std::string answer;
  ASSERT_TRUE(call_raw("/grpc.health.v1.Health/Check", "", &answer).ok());
  EXPECT_EQ(answer, "\x08\x02");
  std::thread waiting([&] {
    EXPECT_EQ(call_raw("/parley.v1.ClusterService/GetStatus", "").error_code(),
              grpc::StatusCode::UNAUTHENTICATED);
  });
  (*listening)->serve(*api_.service);
  waiting.join();
}

TEST_F(RpcServer, APortThatIsTakenIsAnError) {
  const auto second = rpc::Server::listen({.listen = {"127.0.0.1", server_->port()}});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error(), HasSubstr(target()));
}

class SlowWatcher : public RpcServer {
 protected:
  SlowWatcher() : RpcServer({.listen = {"127.0.0.1", 0}, .max_queued_events = 16, .cut_off_grace = 60s}) {}
};

TEST_F(SlowWatcher, IsCutOffAndToldSo) {
  const User alice = api_.create("alice");
  grpc::ClientContext context;
  authorize(context, alice);
  const auto stream = messages_->Watch(&context, v1::WatchRequest());
  ASSERT_TRUE(wait_until([&] { return api_.node.watchers() == 1; }));
  fill_up(alice);
  v1::WatchResponse response;
  std::uint64_t last = 0;
  while (stream->Read(&response)) {
    EXPECT_GT(response.position(), last) << "what came before the end is in order";
    last = response.position();
  }
  const auto status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(details(status).reason, "STREAM_TOO_SLOW");
}

class DeafWatcher : public RpcServer {
 protected:
  DeafWatcher() : RpcServer({.listen = {"127.0.0.1", 0}, .max_queued_events = 16, .cut_off_grace = 50ms}) {}
};

TEST_F(DeafWatcher, IsCancelledAfterAGrace) {
  const User alice = api_.create("alice");
  grpc::ClientContext context;
  authorize(context, alice);
  const auto stream = messages_->Watch(&context, v1::WatchRequest());
  ASSERT_TRUE(wait_until([&] { return api_.node.watchers() == 1; }));
  fill_up(alice);
  EXPECT_TRUE(wait_until([&] { return api_.service->open_streams() == 0; })) << "nothing is kept for it";
  v1::WatchResponse response;
  while (stream->Read(&response)) {
  }
  EXPECT_FALSE(stream->Finish().ok());
}

// Calls of a client that asks for pages of a mebibyte each, and makes no room for them.
class UnreadAnswers : public RpcServer {
 protected:
  explicit UnreadAnswers(rpc::ServerOptions server = {.listen = {"127.0.0.1", 0}, .cut_off_grace = 60s})
      : RpcServer(std::move(server), options()) {
    const std::string body(base::kMaxBodyBytes, 'x');
    for (int i = 0; i < 64; ++i) {
      (void)api_.send(alice_, "alice", body);
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // or the window grows by itself
    stub_ = v1::MessageService::NewStub(
        grpc::CreateCustomChannel(target(), grpc::InsecureChannelCredentials(), arguments));
  }

  static service::ServiceOptions options() {
    auto options = quick_options();
    options.max_answer_bytes_in_flight = 8UL * 1024 * 1024;
    return options;
  }

  // One call, of which nothing but the head of the answer is read before the end.
  struct Unread {
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    v1::ListMessagesResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::ListMessagesResponse>> call;

    [[nodiscard]] bool wait() {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    }
    [[nodiscard]] grpc::Status end() {
      call->Finish(&response, &status, nullptr);
      EXPECT_TRUE(wait());
      return status;
    }
  };

  // Its answer, or the refusal, has come in part.
  [[nodiscard]] std::unique_ptr<Unread> ask() const {
    auto unread = std::make_unique<Unread>();
    authorize(unread->context, alice_);
    unread->call = stub_->PrepareAsyncListMessages(&unread->context, page(), &unread->queue);
    unread->call->StartCall();
    unread->call->ReadInitialMetadata(nullptr);
    (void)unread->wait();
    return unread;
  }

  [[nodiscard]] grpc::Status list() const {
    grpc::ClientContext context;
    authorize(context, alice_);
    v1::ListMessagesResponse response;
    return messages_->ListMessages(&context, page(), &response);
  }

  [[nodiscard]] grpc::Status send() const {
    grpc::ClientContext context;
    authorize(context, alice_);
    v1::SendMessageRequest request;
    request.set_recipient("alice");
    request.set_body("hello");
    v1::SendMessageResponse response;
    return messages_->SendMessage(&context, request, &response);
  }

  [[nodiscard]] static v1::ListMessagesRequest page() {
    v1::ListMessagesRequest request;
    request.set_page_size(base::kMaxPageSize);
    return request;
  }

  [[nodiscard]] std::size_t waiting_bytes() const { return api_.service->load().answer_bytes_in_flight; }

  const User alice_ = api_.create("alice");
  std::unique_ptr<v1::MessageService::Stub> stub_;
};

TEST_F(UnreadAnswers, AreBoundedTogether) {
  EXPECT_TRUE(list().ok());
  std::vector<std::unique_ptr<Unread>> unread;
  for (int i = 0; i < 12; ++i) {
    unread.push_back(ask());
  }
  EXPECT_GT(waiting_bytes(), 4UL * 1024 * 1024);
  EXPECT_LE(waiting_bytes(), options().max_answer_bytes_in_flight);
  const auto refused = list();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const auto error = details(refused);
  EXPECT_EQ(error.reason, "OVERLOADED");
  EXPECT_EQ(error.outcome, base::Outcome::refused);
  EXPECT_GT(error.retry_after_ms, 0U);
  EXPECT_TRUE(send().ok()) << "small answers have their room";
  EXPECT_TRUE(unread.front()->end().ok()) << "who reads after all gets all";
  EXPECT_GT(unread.front()->response.messages_size(), 50);
  for (const auto& one : unread) {
    one->context.TryCancel();
  }
  for (std::size_t i = 1; i < unread.size(); ++i) {
    EXPECT_FALSE(unread[i]->end().ok());
  }
  EXPECT_TRUE(wait_until([&] { return waiting_bytes() == 0; }));
  EXPECT_TRUE(list().ok());
}

class HurriedAnswers : public UnreadAnswers {
 protected:
  HurriedAnswers() : UnreadAnswers({.listen = {"127.0.0.1", 0}, .answer_timeout = 300ms}) {}
};

TEST_F(HurriedAnswers, AreGivenUpAfterAWhile) {
  const auto unread = ask();
  EXPECT_TRUE(wait_until([&] { return waiting_bytes() == 0; })) << "nothing is kept for it";
  EXPECT_FALSE(unread->end().ok());
  EXPECT_TRUE(wait_until([&] { return send().ok(); })) << "others are answered in that time";
}

TEST_F(HurriedAnswers, SoIsTheRestOfAStreamThatHasEnded) {
  const User bob = api_.create("bob");
  grpc::ClientContext context;
  authorize(context, bob);
  const auto stream = stub_->Watch(&context, v1::WatchRequest());
  ASSERT_TRUE(wait_until([&] { return api_.node.watchers() == 1; }));
  for (int i = 0; i < 16; ++i) {  // more than the window, less than the queue
    (void)api_.send(bob, "bob", std::string(base::kMaxBodyBytes, 'x'));
  }
  ASSERT_TRUE(wait_until([&] { return waiting_bytes() > 0; }));
  EXPECT_EQ(api_.service->open_streams(), 1U);
  ASSERT_TRUE(api_.call<v1::LogOutResponse>(v1::LogOutRequest(), bob.authorization()));
  EXPECT_TRUE(wait_until([&] { return api_.service->open_streams() == 0; }));
  EXPECT_TRUE(wait_until([&] { return waiting_bytes() == 0; }));
  v1::WatchResponse response;
  while (stream->Read(&response)) {
  }
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(UnreadAnswers, OfStreamsCountToo) {
  grpc::ClientContext context;
  authorize(context, alice_);
  const auto stream = stub_->Watch(&context, v1::WatchRequest());
  ASSERT_TRUE(wait_until([&] { return api_.node.watchers() == 1; }));
  std::size_t most_bytes = 0;
  const std::string body(base::kMaxBodyBytes, 'x');
  EXPECT_TRUE(wait_until(
      [&] {
        (void)api_.send(alice_, "alice", body);
        most_bytes = std::max(most_bytes, waiting_bytes());
        return api_.node.watchers() == 0;
      },
      std::chrono::minutes(1), 0ms));
  EXPECT_GT(most_bytes, 100'000U);
  EXPECT_LT(most_bytes, 1'000'000U) << "far below what one stream may have where there is room";
  v1::WatchResponse response;
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(details(stream->Finish()).reason, "STREAM_TOO_SLOW");
  EXPECT_TRUE(wait_until([&] { return waiting_bytes() == 0; }));
}

class FewStreams : public RpcServer {
 protected:
  FewStreams() : RpcServer({.listen = {"127.0.0.1", 0}, .max_health_watches = 1, .max_reflections = 1}) {}
};

TEST_F(FewStreams, WatchesOfHealthAreBounded) {
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  grpc::health::v1::HealthCheckResponse response;
  {
    grpc::ClientContext context;
    const auto first = health->Watch(&context, {});
    ASSERT_TRUE(first->Read(&response));
    grpc::ClientContext context_of_second;
    const auto second = health->Watch(&context_of_second, {});
    EXPECT_FALSE(second->Read(&response));
    const auto status = second->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(details(status).reason, "TOO_MANY_STREAMS");
    EXPECT_TRUE(check_health(channel_, "", response).ok());
    context.TryCancel();
    EXPECT_FALSE(first->Finish().ok());
  }
  EXPECT_TRUE(wait_until([&] {
    grpc::ClientContext context;
    const auto later = health->Watch(&context, {});
    const bool is_taken = later->Read(&response);
    context.TryCancel();
    (void)later->Finish();
    return is_taken;
  }));
}

TEST_F(FewStreams, StreamsOfReflectionAreBounded) {
  ReflectionTalk first(channel_);
  EXPECT_TRUE(first.ask(reflection_request(7, "*")));
  {
    ReflectionTalk second(channel_);
    const auto status = second.end();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(details(status).reason, "TOO_MANY_STREAMS");
  }
  EXPECT_TRUE(first.end().ok());
  EXPECT_TRUE(wait_until([&] { return ReflectionTalk(channel_).end().ok(); }));
}

class HurriedReflection : public RpcServer {
 protected:
  HurriedReflection()
      : RpcServer({.listen = {"127.0.0.1", 0}, .answer_timeout = 300ms, .max_reflections = 1}) {}
};

TEST_F(HurriedReflection, WhoDoesNotReadIsGivenUpAfterAWhile) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // or the window grows by itself
  // Once more where the machine stood still for so long that this one was given up, too.
  std::optional<ReflectionTalk> deaf;
  ASSERT_TRUE(wait_until([&] {
    deaf.emplace(grpc::CreateCustomChannel(target(), grpc::InsecureChannelCredentials(), arguments));
    return deaf->ask(reflection_request(7, "*")).has_value();
  })) << "it has the one place";
  for (int i = 0; i < 200; ++i) {  // the answers are far more than the window
    (void)deaf->say(reflection_request(4, "parley.v1.MessageService"));
  }
  EXPECT_TRUE(wait_until([&] { return ReflectionTalk(channel_).end().ok(); }));
  while (deaf->read()) {
  }
  EXPECT_FALSE(deaf->end().ok());
}

// The time is each answer's, not the stream's. (Once more where the machine stood still for so long.)
TEST_F(HurriedReflection, WhoReadsMayGoOn) {
  EXPECT_TRUE(wait_until([&] {
    ReflectionTalk talk(channel_);
    const auto end = std::chrono::steady_clock::now() + 1s;
    while (std::chrono::steady_clock::now() < end) {
      if (!talk.ask(reflection_request(7, "*"))) {
        return false;
      }
    }
    return talk.end().ok();
  }));
}

}  // namespace
}  // namespace parley::test
