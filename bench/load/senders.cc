#include "load/senders.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <array>
#include <random>
#include <utility>

#include "base/uuid7.h"
#include "parley/v1/api.grpc.pb.h"

namespace parley::bench {
namespace {

using Clock = std::chrono::steady_clock;
namespace api = parley::v1;

constexpr std::chrono::seconds kAttemptTimeout{2};
constexpr std::size_t kChannelsPerServer = 2;

struct Server {
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  std::vector<std::unique_ptr<api::MessageService::Stub>> messages;
  std::unique_ptr<api::AccountService::Stub> accounts;
  std::unique_ptr<api::ClusterService::Stub> cluster;
};

Server connect(const std::string& address) {
  Server server;
  for (std::size_t i = 0; i < kChannelsPerServer; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
    arguments.SetInt("parley.channel", static_cast<int>(i));  // another value, another connection
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    server.channels.push_back(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
    server.messages.push_back(api::MessageService::NewStub(server.channels.back()));
  }
  server.accounts = api::AccountService::NewStub(server.channels.front());
  server.cluster = api::ClusterService::NewStub(server.channels.front());
  return server;
}

// One client: at most one attempt in flight.
struct Sender {
  std::size_t number = 0;
  std::size_t server = 0;
  std::string name;
  std::string token;
  api::SendMessageRequest request;
  api::SendMessageResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<api::SendMessageResponse>> call;
  Clock::time_point began;
  bool in_flight = false;
};

std::int64_t unix_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

struct Senders::State {
  std::vector<Server> servers;
  std::vector<Sender> senders;
  std::size_t body_size_bytes = 0;
  std::string recipient;  // of all sends; empty: a random one
  grpc::CompletionQueue queue;
  std::mt19937_64 random{std::random_device{}()};
  Clock::time_point last_acknowledged;

  std::string new_request_id() {
    std::array<std::uint8_t, 10> bytes{};
    std::ranges::generate(bytes, [this] { return static_cast<std::uint8_t>(random() & 0xffU); });
    return base::to_string(base::make_request_id(unix_ms(), bytes));
  }

  void attempt(Sender& sender) {
    sender.context = std::make_unique<grpc::ClientContext>();
    sender.context->AddMetadata("authorization", "Bearer " + sender.token);
    sender.context->set_deadline(std::chrono::system_clock::now() + kAttemptTimeout);
    auto& stubs = servers[sender.server].messages;
    sender.call =
        stubs[sender.number % stubs.size()]->AsyncSendMessage(sender.context.get(), sender.request, &queue);
    sender.response.Clear();
    sender.call->Finish(&sender.response, &sender.status, &sender);
    sender.in_flight = true;
  }

  void begin(Sender& sender) {
    sender.request.set_recipient(recipient.empty() ? senders[random() % senders.size()].name : recipient);
    sender.request.set_body(std::string(body_size_bytes, static_cast<char>('a' + sender.number % 26)));
    sender.request.set_request_id(new_request_id());
    sender.began = Clock::now();
    attempt(sender);
  }

  void finished(Sender& sender, SendFigures& figures, bool go_on) {
    sender.in_flight = false;
    if (sender.status.ok()) {
      const Clock::time_point now = Clock::now();
      figures.latencies.add(now - sender.began);
      figures.longest_gap = std::max(figures.longest_gap, now - last_acknowledged);
      last_acknowledged = now;
      ++figures.acknowledged;
      if (go_on) {
        begin(sender);
      }
      return;
    }
    ++figures.errors;
    figures.last_error =
        fmt::format("{} {}", static_cast<int>(sender.status.error_code()), sender.status.error_message());
    sender.server = (sender.server + 1) % servers.size();
    attempt(sender);
  }
};

Senders::Senders(const std::vector<std::string>& servers, std::size_t clients, std::size_t body_size_bytes)
    : state_(std::make_unique<State>()) {
  for (const std::string& address : servers) {
    state_->servers.push_back(connect(address));
  }
  state_->body_size_bytes = body_size_bytes;
  state_->senders.resize(clients);
  const std::string run = fmt::format("{:x}", state_->random() & 0xffffffU);
  for (std::size_t i = 0; i < clients; ++i) {
    state_->senders[i].number = i;
    state_->senders[i].server = i % servers.size();
    state_->senders[i].name = fmt::format("load-{}-{}", run, i);
  }
}

Senders::~Senders() {
  drain();
  state_->queue.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (state_->queue.Next(&tag, &ok)) {
  }
}

bool Senders::wait_writable(std::chrono::seconds timeout) {
  // An account is needed even to ask for the status; making one is the test.
  const Clock::time_point until = Clock::now() + timeout;
  const std::string request_id = state_->new_request_id();
  while (Clock::now() < until) {
    for (Server& server : state_->servers) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(1));
      api::CreateAccountRequest request;
      request.set_name(state_->senders.front().name);
      request.set_password("not a secret, a load test");
      request.set_request_id(request_id);
      api::CreateAccountResponse response;
      if (server.accounts->CreateAccount(&context, request, &response).ok()) {
        state_->senders.front().token = response.token();
        return true;
      }
    }
  }
  return false;
}

std::optional<std::string> Senders::register_accounts() {
  for (Sender& sender : state_->senders) {
    if (!sender.token.empty()) {
      continue;
    }
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    api::CreateAccountRequest request;
    request.set_name(sender.name);
    request.set_password("not a secret, a load test");
    request.set_request_id(state_->new_request_id());
    api::CreateAccountResponse response;
    const grpc::Status status =
        state_->servers[sender.server].accounts->CreateAccount(&context, request, &response);
    if (!status.ok()) {
      return fmt::format("CreateAccount: {}", status.error_message());
    }
    sender.token = response.token();
  }
  return std::nullopt;
}

void Senders::send_all_to(std::string name) { state_->recipient = std::move(name); }

std::string Senders::new_name() { return fmt::format("load-{:x}", state_->random() & 0xffffffffffffU); }

std::string Senders::new_request_id() { return state_->new_request_id(); }

SendFigures Senders::run_until(std::chrono::steady_clock::time_point until) {
  SendFigures figures;
  state_->last_acknowledged = Clock::now();
  for (Sender& sender : state_->senders) {
    if (!sender.in_flight) {
      state_->begin(sender);
    }
  }
  while (Clock::now() < until) {
    void* tag = nullptr;
    bool ok = false;
    const auto wait_until = std::chrono::system_clock::now() + (until - Clock::now());
    if (state_->queue.AsyncNext(&tag, &ok, wait_until) == grpc::CompletionQueue::GOT_EVENT) {
      state_->finished(*static_cast<Sender*>(tag), figures, true);
    }
  }
  figures.longest_gap =
      std::max(figures.longest_gap, std::chrono::nanoseconds(Clock::now() - state_->last_acknowledged));
  return figures;
}

void Senders::drain() {
  SendFigures ignored;
  const Clock::time_point until = Clock::now() + std::chrono::seconds(20);
  const auto busy = [this] { return std::ranges::any_of(state_->senders, &Sender::in_flight); };
  while (busy() && Clock::now() < until) {
    void* tag = nullptr;
    bool ok = false;
    if (state_->queue.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + std::chrono::seconds(1)) ==
        grpc::CompletionQueue::GOT_EVENT) {
      state_->finished(*static_cast<Sender*>(tag), ignored, false);
    }
  }
  for (Sender& sender : state_->senders) {
    if (sender.in_flight) {
      sender.context->TryCancel();
    }
  }
}

LeaderSeen Senders::leader() {
  LeaderSeen seen;
  for (std::size_t i = 0; i < state_->servers.size(); ++i) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + state_->senders.front().token);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(1));
    api::GetStatusResponse response;
    if (!state_->servers[i].cluster->GetStatus(&context, api::GetStatusRequest(), &response).ok()) {
      continue;
    }
    if (response.term() > seen.term) {
      seen = LeaderSeen{.term = response.term(), .server = std::nullopt, .applied = 0};
    }
    if (response.term() == seen.term && response.role() == api::ROLE_LEADER) {
      seen.server = i;
      seen.applied = response.applied_index();
    }
  }
  return seen;
}

}  // namespace parley::bench
