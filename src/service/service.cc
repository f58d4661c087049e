#include "service/service.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/ensure.h"
#include "base/request_size.h"
#include "parley/v1/api.pb.h"
#include "service/call.h"
#include "service/handlers.h"
#include "service/peer_calls.h"
#include "service/refusals.h"
#include "service/stream.h"

namespace parley::service {
namespace {

using StatePtr = std::shared_ptr<Service::State>;
using UnaryEntry = void (*)(const StatePtr&, const MethodInfo&, std::string_view, CallContext, ReplyCallback);
using StreamEntry = void (*)(const std::shared_ptr<Stream>&, std::string_view);

template <class Request, class Response, void (*Handler)(const CallPtr<Request, Response>&)>
void run_unary(const StatePtr& state, const MethodInfo& method, std::string_view bytes, CallContext context,
               ReplyCallback done) {
  auto call = std::make_shared<Call<Request, Response>>(state, method, std::move(context), std::move(done),
                                                        bytes.size());
  if (auto parsed = parse(bytes, call->request()); !parsed) {
    call->fail(std::move(parsed).error());
  } else if (call->deadline() <= std::chrono::steady_clock::now()) {
    call->fail(base::refused(base::Code::deadline_exceeded, "DEADLINE_EXCEEDED",
                             "The deadline had come when the request arrived."));
  } else {
    Handler(call);
  }
}

template <class Request, void (*Handler)(const std::shared_ptr<Stream>&, const Request&)>
void run_stream(const std::shared_ptr<Stream>& stream, std::string_view bytes) {
  Request request;
  if (auto parsed = parse(bytes, request); !parsed) {
    stream->finish(parsed.error());
  } else {
    Handler(stream, request);
  }
}

struct Entry {
  MethodInfo info;
  UnaryEntry unary = nullptr;
  StreamEntry stream = nullptr;
};

template <class>
struct UnaryTypes;
template <class Rq, class Rs>
struct UnaryTypes<void (*)(const CallPtr<Rq, Rs>&)> {
  using Request = Rq;
  using Response = Rs;
};
template <class>
struct StreamTypes;
template <class Rq>
struct StreamTypes<void (*)(const std::shared_ptr<Stream>&, const Rq&)> {
  using Request = Rq;
};

constexpr std::string_view kAccounts = "parley.v1.AccountService";
constexpr std::string_view kMessages = "parley.v1.MessageService";
constexpr std::string_view kCluster = "parley.v1.ClusterService";

template <auto Handler>
constexpr Entry unary(std::string_view service, std::string_view name, bool is_write) {
  using Types = UnaryTypes<decltype(Handler)>;
  return {{service, name, MethodKind::unary, is_write, service == kCluster},
          &run_unary<typename Types::Request, typename Types::Response, Handler>,
          nullptr};
}

template <auto Handler>
constexpr Entry stream(std::string_view service, std::string_view name) {
  return {{service, name, MethodKind::server_stream, false, true},
          nullptr,
          &run_stream<typename StreamTypes<decltype(Handler)>::Request, Handler>};
}

constexpr bool kWrites = true;
constexpr bool kReads = false;

constexpr std::array kEntries = {
    unary<&create_account>(kAccounts, "CreateAccount", kWrites),
    unary<&log_in>(kAccounts, "LogIn", kWrites),
    unary<&log_out>(kAccounts, "LogOut", kWrites),
    unary<&change_password>(kAccounts, "ChangePassword", kWrites),
    unary<&delete_account>(kAccounts, "DeleteAccount", kWrites),
    unary<&get_account>(kAccounts, "GetAccount", kReads),
    unary<&list_accounts>(kAccounts, "ListAccounts", kReads),
    unary<&send_message>(kMessages, "SendMessage", kWrites),
    unary<&list_messages>(kMessages, "ListMessages", kReads),
    unary<&list_conversations>(kMessages, "ListConversations", kReads),
    unary<&mark_read>(kMessages, "MarkRead", kWrites),
    unary<&delete_messages>(kMessages, "DeleteMessages", kWrites),
    unary<&get_unread_counts>(kMessages, "GetUnreadCounts", kReads),
    stream<&watch>(kMessages, "Watch"),
    unary<&get_status>(kCluster, "GetStatus", kReads),
    stream<&watch_status>(kCluster, "WatchStatus"),
    unary<&add_node>(kCluster, "AddNode", kWrites),
    unary<&remove_node>(kCluster, "RemoveNode", kWrites),
    unary<&transfer_leadership>(kCluster, "TransferLeadership", kWrites),
    stream<&backup>(kCluster, "Backup"),
};

constexpr auto kInfos = [] {
  std::array<MethodInfo, kEntries.size()> infos{};
  std::ranges::transform(kEntries, infos.begin(), &Entry::info);
  return infos;
}();

const Entry& entry(MethodId method) {
  base::ensure(!method.is_none() && method.value() <= kEntries.size(), "a method that exists");
  return kEntries.at(method.value() - 1);
}

class OpenStream : public StreamHandle {
 public:
  explicit OpenStream(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  ~OpenStream() override { stream_->close(); }
  OpenStream(const OpenStream&) = delete;
  OpenStream& operator=(const OpenStream&) = delete;

 private:
  std::shared_ptr<Stream> stream_;
};

void remember_stream(Service::State& state, const std::shared_ptr<Stream>& stream) {
  const std::scoped_lock lock(state.streams_mutex);
  if (state.streams.size() >= state.streams_swept_at) {
    std::erase_if(state.streams, [](const auto& weak) { return weak.expired(); });
    state.streams_swept_at = std::max<std::size_t>(64, 2 * state.streams.size());
  }
  state.streams.push_back(stream);
}

}  // namespace

base::Error shutting_down() {
  return base::refused(base::Code::unavailable, "SHUTTING_DOWN",
                       "This node is shutting down; try another one.");
}

base::Error not_founded() {
  return base::refused(base::Code::unavailable, "NOT_FOUNDED",
                       "This node has no cluster yet: it waits for the other nodes of its list.");
}

std::span<const MethodInfo> methods() { return kInfos; }

const MethodInfo& info(MethodId method) { return entry(method).info; }

std::optional<MethodId> find_method(std::string_view service, std::string_view name) {
  const auto found = std::ranges::find_if(kInfos, [&](const MethodInfo& candidate) {
    return candidate.service == service && candidate.name == name;
  });
  if (found == kInfos.end()) {
    return std::nullopt;
  }
  return MethodId(static_cast<std::uint32_t>(found - kInfos.begin() + 1));
}

Service::State::State(node::ChatNode& the_node, ServiceOptions the_options)
    : node(the_node),
      options(std::move(the_options)),
      passwords(options.password_cost, options.password_threads, options.max_waiting_passwords),
      barrier(std::make_shared<BarrierReads>(the_node)),
      sessions(options.max_cached_sessions) {}

Service::Service(node::ChatNode& node, ServiceOptions options)
    : state_(std::make_shared<State>(node, std::move(options))),
      peer_calls_(std::make_shared<PeerCalls>(state_)) {
  node.set_api_handler(peer_calls_);
}

Service::~Service() {
  peer_calls_.reset();
  begin_shutdown();
  state_->ticker.stop();
  state_->passwords.stop();
}

void begin_call(const StatePtr& state, MethodId method, std::string_view request, CallContext context,
                ReplyCallback done) {
  const Entry& target = entry(method);
  base::ensure(target.unary != nullptr, "a unary method");
  const auto refuse = [&](base::Error error) {
    if (state->options.on_answer && !context.is_forwarded) {
      state->options.on_answer(target.info, error.code, std::chrono::nanoseconds(0));
    }
    done(std::unexpected(std::move(error)));
  };
  if (request.size() > base::kMaxRequestBytes) {
    refuse(base::request_too_large(request.size()));  // now and always
  } else if (state->stopping) {
    refuse(shutting_down());
  } else if (state->calls_in_flight >= state->options.max_calls_in_flight ||
             state->request_bytes_in_flight + request.size() > state->options.max_request_bytes_in_flight ||
             state->answers->is_used_up(target.info.is_write)) {
    refuse(overloaded());
  } else {
    target.unary(state, target.info, request, std::move(context), std::move(done));
  }
}

void Service::call(MethodId method, std::string_view request, CallContext context, ReplyCallback done) {
  begin_call(state_, method, request, std::move(context), std::move(done));
}

std::unique_ptr<StreamHandle> Service::open(MethodId method, std::string_view request, CallContext context,
                                            std::shared_ptr<ReplyStream> out) {
  const Entry& target = entry(method);
  base::ensure(target.stream != nullptr, "a server stream");
  out->use_budget(state_->answers);
  auto stream = std::make_shared<Stream>(state_, std::move(out), std::move(context));
  auto handle = std::make_unique<OpenStream>(stream);
  remember_stream(*state_, stream);
  if (state_->stopping) {
    stream->finish(shutting_down());
  } else if (state_->open_streams > state_->options.max_streams) {
    stream->finish(overloaded());
  } else {
    target.stream(stream, request);
  }
  return handle;
}

std::size_t Service::open_streams() const { return state_->open_streams; }

ServiceLoad Service::load() const {
  return {.calls_in_flight = state_->calls_in_flight,
          .request_bytes_in_flight = state_->request_bytes_in_flight,
          .answer_bytes_in_flight = state_->answers->used_bytes(),
          .open_streams = state_->open_streams};
}

std::shared_ptr<AnswerBudget> Service::answers() const { return state_->answers; }

void Service::begin_shutdown() {
  state_->stopping = true;
  std::vector<std::weak_ptr<Stream>> streams;
  {
    const std::scoped_lock lock(state_->streams_mutex);
    streams.swap(state_->streams);
  }
  for (const auto& weak : streams) {
    if (const auto stream = weak.lock()) {
      stream->finish(shutting_down());
    }
  }
}

}  // namespace parley::service
