#include "client/client.h"

#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "base/ensure.h"
#include "base/limits.h"
#include "base/request_size.h"
#include "base/uuid7.h"
#include "client/client_impl.h"
#include "client/grpc_error.h"

namespace parley::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstPause{50};
constexpr milliseconds kMostPause{500};
// Of a write that was refused: a shorter one is not answered in time, and its outcome would be unknown.
constexpr milliseconds kShortestAttempt{100};

std::size_t first_server(const ClientOptions& options) {
  return options.first_server ? *options.first_server : std::random_device{}();
}

base::Error no_connection(const std::string& server) {
  return base::refused(base::Code::unavailable, "NO_CONNECTION", "cannot connect to " + server);
}

// What no node takes is not sent, so it is certain that nothing happened. If gRPC refused it there, its error
// would not tell: it says the same of an answer that is too large to be taken.
std::optional<base::Error> refusal_of_size(const google::protobuf::MessageLite& request) {
  const std::size_t size_bytes = request.ByteSizeLong();
  if (size_bytes <= base::kMaxRequestBytes) {
    return std::nullopt;
  }
  return base::request_too_large(size_bytes);
}

template <class Message>
concept HasRequestId = requires(Message message) { message.set_request_id(std::string()); };
template <class Message>
concept HasAsOf = requires(Message message) { message.as_of(); };

}  // namespace

Client::Impl::Impl(ClientOptions options)
    : options_(std::move(options)),
      request_ids_(options_.unix_ms),
      servers_(options_.servers.size(), first_server(options_), options_.skip),
      token_(options_.token) {
  for (const base::Address& address : options_.servers) {
    connections_.push_back(std::make_unique<Connection>(
        address, Keepalive{.interval = options_.keepalive_interval, .timeout = options_.keepalive_timeout}));
  }
}

std::size_t Client::Impl::pick(std::optional<std::size_t> avoid) {
  const std::scoped_lock lock(mutex_);
  return servers_.pick(steady_clock::now(), avoid);
}

void Client::Impl::note(std::size_t server, bool well) {
  const std::scoped_lock lock(mutex_);
  if (well) {
    servers_.succeeded(server);
  } else {
    servers_.failed(server, steady_clock::now());
  }
}

void Client::Impl::authorize(grpc::ClientContext& context) const {
  if (const std::string token = this->token(); !token.empty()) {
    context.AddMetadata("authorization", "Bearer " + token);
  }
}

std::optional<base::Error> Client::Impl::check_cluster(const std::string& cluster_id) {
  const std::scoped_lock lock(mutex_);
  if (cluster_id_.empty()) {
    cluster_id_ = cluster_id;
  }
  if (cluster_id.empty() || cluster_id_ == cluster_id) {
    return std::nullopt;
  }
  return base::refused(base::Code::failed_precondition, "OTHER_CLUSTER",
                       "these servers belong to different clusters: " + cluster_id_ + " and " + cluster_id);
}

void Client::Impl::set_token(std::string token) {
  const std::scoped_lock lock(mutex_);
  token_ = std::move(token);
}

std::string Client::Impl::token() const {
  const std::scoped_lock lock(mutex_);
  return token_;
}

std::string Client::Impl::cluster_id() const {
  const std::scoped_lock lock(mutex_);
  return cluster_id_;
}

Client::Impl::Attempts Client::Impl::begin(const CallOptions& call) const {
  return Attempts{.deadline = steady_clock::now() + call.timeout.value_or(options_.timeout),
                  .strangers = Strangers(connections_.size())};
}

std::optional<AttemptError> Client::Impl::attempt(Attempts& attempts, const CallOptions& call,
                                                  const Send& send) {
  // After a failure another server, in the call's own order: a call never waits for one that is known to be
  // bad.
  const std::size_t server = pick(attempts.last_server);
  attempts.last_server = server;
  const milliseconds longest = options_.attempt_timeout * (1 << std::min(attempts.made, 5));
  ++attempts.made;
  const auto now = steady_clock::now();
  const Connection& connection = *connections_[server];
  const Connected connected =
      connection.connect(std::min(attempts.deadline - attempts.shortest, now + options_.connect_timeout));
  attempts.last_reached_nobody = connected != Connected::yes;
  if (connected != Connected::yes) {
    note_presence(attempts, connected != Connected::refused);
    return note_error(attempts, {.error = no_connection(connection.name()), .reached = Reached::no}, false);
  }
  grpc::ClientContext context;
  context.set_deadline(to_grpc_deadline(std::min(attempts.deadline, now + longest)));
  authorize(context);
  const std::stop_callback cancel(call.stop, [&context] { context.TryCancel(); });
  const grpc::Status status = send(connection, context);
  if (status.ok()) {
    note(server, true);
    return std::nullopt;
  }
  AttemptError error = to_attempt_error(status, connection.name());
  note_presence(attempts, !error.is_stranger);
  return note_error(attempts, std::move(error), call.stop.stop_requested());
}

AttemptError Client::Impl::note_error(Attempts& attempts, AttemptError error, bool is_stopped) {
  const std::size_t server = *attempts.last_server;
  attempts.strangers.note(server, error);
  attempts.last_was_stranger = error.is_stranger;
  if (error.is_stranger) {
    note(server, false);
    if (attempts.strangers.are_all()) {
      attempts.last_was_stranger = false;
      return attempts.strangers.answer();
    }
    return error;
  }
  attempts.newest = error.error;
  if (error.reached == Reached::answered) {
    ++attempts.answered;
    if (error.error.code == base::Code::unavailable) {
      attempts.unavailable = error.error;
    }
    note(server, true);
  } else if (!is_stopped) {
    note(server, false);
  }
  return error;
}

base::Error Client::Impl::to_tell(const Attempts& attempts, base::Error error) {
  const base::Error* better = nullptr;
  if ((attempts.last_reached_nobody || attempts.last_was_stranger) && attempts.unavailable) {
    better = &*attempts.unavailable;
  } else if (attempts.last_was_stranger && attempts.newest) {
    better = &*attempts.newest;
  }
  if (better == nullptr) {
    return error;
  }
  const base::Outcome outcome = error.outcome;
  error = *better;
  error.outcome = outcome;
  return error;
}

void Client::Impl::note_presence(Attempts& attempts, bool is_somebody) const {
  if (is_somebody) {
    attempts.refused.clear();
    attempts.all_refused_at.reset();
    return;
  }
  attempts.refused.insert(*attempts.last_server);
  if (!attempts.all_refused_at && attempts.refused.size() == connections_.size()) {
    attempts.all_refused_at = steady_clock::now();
  }
}

std::optional<base::Error> Client::Impl::nobody_listens(const Attempts& attempts,
                                                        const CallOptions& call) const {
  if (!call.nobody_after || !attempts.all_refused_at || attempts.strangers.are_all() ||
      steady_clock::now() - *attempts.all_refused_at < *call.nobody_after) {
    return std::nullopt;
  }
  std::string tried;
  std::string said;
  for (std::size_t server = 0; server < connections_.size(); ++server) {
    const std::string& name = connections_[server]->name();
    tried += (tried.empty() ? "" : ", ") + name;
    if (const base::Error* const stranger = attempts.strangers.find(server)) {
      said += "; " + (stranger->reason == kNoClientPort ? "" : name + " says: ") + stranger->message;
    }
  }
  return base::refused(base::Code::unavailable, "NO_CONNECTION", "no node answers; tried " + tried + said);
}

bool Client::Impl::may_go_on(const Attempts& attempts, const CallOptions& call,
                             const base::Error& error) const {
  if (call.stop.stop_requested()) {
    return false;
  }
  if (call.on_retry) {
    call.on_retry(
        {.server = connections_[*attempts.last_server]->name(), .error = error, .attempts = attempts.made});
  }
  milliseconds pause{0};
  const int rounds = attempts.made / static_cast<int>(connections_.size());
  if (attempts.answered > 0 || rounds > 0) {
    const int doublings = std::min(std::max(attempts.answered - 1, rounds - 1), 4);
    pause = std::min(kFirstPause * (1 << std::max(doublings, 0)), kMostPause);
  }
  pause = std::max(pause, milliseconds(error.retry_after_ms));
  const auto until = steady_clock::now() + pause;
  if (until + attempts.shortest >= attempts.deadline) {
    return false;
  }
  std::mutex mutex;
  std::condition_variable_any nobody;
  std::unique_lock lock(mutex);
  return !nobody.wait_until(lock, call.stop, until, [&call] { return call.stop.stop_requested(); });
}

template <class Request, class Response>
WriteOutcome<Response> Client::Impl::write(Request request, const CallOptions& call,
                                           grpc::Status (*method)(const Connection&, grpc::ClientContext&,
                                                                  const Request&, Response*)) {
  std::optional<std::int64_t> own_id_unix_ms;
  std::string request_id;
  if constexpr (HasRequestId<Request>) {
    if (request.request_id().empty()) {
      request.set_request_id(request_ids_.make());
      own_id_unix_ms = base::parse_request_id(request.request_id())->unix_ms();
    }
    request_id = request.request_id();
  }
  if (auto refusal = refusal_of_size(request)) {
    if (!call.unknown_before) {
      return Refused{*std::move(refusal)};
    }
    refusal->outcome = base::Outcome::unknown;  // of this request_id, which was used before
    return Unknown{.error = *std::move(refusal), .request_id = request_id};
  }
  WriteProgress progress(call.unknown_before, own_id_unix_ms);
  Attempts attempts = begin(call);
  while (true) {
    Response response;
    const auto failure =
        attempt(attempts, call, [&](const Connection& connection, grpc::ClientContext& context) {
          return method(connection, context, request, &response);
        });
    if (!failure) {
      return Done<Response>{std::move(response)};
    }
    const Next next = progress.on_error(*failure);
    attempts.shortest = progress.is_unknown() ? milliseconds(0) : kShortestAttempt;
    if (failure->error.server_time_unix_ms != 0) {
      request_ids_.learn(failure->error.server_time_unix_ms);
    }
    if (auto nobody = nobody_listens(attempts, call); nobody && !progress.is_unknown()) {
      return Refused{*std::move(nobody)};
    }
    if (next == Next::stop || !may_go_on(attempts, call, progress.error())) {
      break;
    }
    if constexpr (HasRequestId<Request>) {
      if (next == Next::again_with_new_id) {
        request.set_request_id(request_ids_.make());
        request_id = request.request_id();
      }
    }
  }
  if (progress.is_unknown()) {
    return Unknown{.error = to_tell(attempts, progress.error()), .request_id = request_id};
  }
  return Refused{to_tell(attempts, progress.error())};
}

template <class Request, class Response>
base::Result<Response> Client::Impl::read(const Request& request, const CallOptions& call,
                                          grpc::Status (*method)(const Connection&, grpc::ClientContext&,
                                                                 const Request&, Response*)) {
  if (auto refusal = refusal_of_size(request)) {
    return std::unexpected(*std::move(refusal));
  }
  Attempts attempts = begin(call);
  while (true) {
    Response response;
    const auto failure =
        attempt(attempts, call, [&](const Connection& connection, grpc::ClientContext& context) {
          return method(connection, context, request, &response);
        });
    if (!failure) {
      if constexpr (HasAsOf<Response>) {
        if (auto other = check_cluster(response.as_of().cluster_id())) {
          return std::unexpected(*std::move(other));
        }
      }
      return response;
    }
    base::Error error = failure->error;
    error.outcome = base::Outcome::refused;  // a read changes nothing
    if (auto nobody = nobody_listens(attempts, call)) {
      return std::unexpected(*std::move(nobody));
    }
    if (!is_worth_another_attempt(*failure) || !may_go_on(attempts, call, error)) {
      return std::unexpected(to_tell(attempts, std::move(error)));
    }
  }
}

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Client::~Client() = default;

void Client::set_token(std::string token) { impl_->set_token(std::move(token)); }
std::string Client::token() const { return impl_->token(); }
std::string Client::cluster_id() const { return impl_->cluster_id(); }
std::size_t Client::server_count() const { return impl_->options().servers.size(); }

// One method of the API is one line: its name here, the service that has it, its name there.
// NOLINTBEGIN(bugprone-macro-parentheses): types and names cannot stand in parentheses
#define PARLEY_CLIENT_WRITE(name, service, Method)                                                        \
  WriteOutcome<v1::Method##Response> Client::name(v1::Method##Request request, const CallOptions& call) { \
    return impl_->write<v1::Method##Request, v1::Method##Response>(                                       \
        std::move(request), call,                                                                         \
        [](const Connection& connection, grpc::ClientContext& context, const v1::Method##Request& sent,   \
           v1::Method##Response* response) {                                                              \
          return connection.service().Method(&context, sent, response);                                   \
        });                                                                                               \
  }
#define PARLEY_CLIENT_READ(name, service, Method)                                                       \
  base::Result<v1::Method##Response> Client::name(const v1::Method##Request& request,                   \
                                                  const CallOptions& call) {                            \
    return impl_->read<v1::Method##Request, v1::Method##Response>(                                      \
        request, call,                                                                                  \
        [](const Connection& connection, grpc::ClientContext& context, const v1::Method##Request& sent, \
           v1::Method##Response* response) {                                                            \
          return connection.service().Method(&context, sent, response);                                 \
        });                                                                                             \
  }
// NOLINTEND(bugprone-macro-parentheses)

PARLEY_CLIENT_WRITE(create_account, accounts, CreateAccount)
PARLEY_CLIENT_WRITE(log_in, accounts, LogIn)
PARLEY_CLIENT_WRITE(log_out, accounts, LogOut)
PARLEY_CLIENT_WRITE(change_password, accounts, ChangePassword)
PARLEY_CLIENT_WRITE(delete_account, accounts, DeleteAccount)
PARLEY_CLIENT_WRITE(send_message, messages, SendMessage)
PARLEY_CLIENT_WRITE(mark_read, messages, MarkRead)
PARLEY_CLIENT_WRITE(delete_messages, messages, DeleteMessages)
PARLEY_CLIENT_READ(get_account, accounts, GetAccount)
PARLEY_CLIENT_READ(list_accounts, accounts, ListAccounts)
PARLEY_CLIENT_READ(list_messages, messages, ListMessages)
PARLEY_CLIENT_READ(list_conversations, messages, ListConversations)
PARLEY_CLIENT_READ(get_unread_counts, messages, GetUnreadCounts)
PARLEY_CLIENT_READ(get_status, cluster, GetStatus)

#undef PARLEY_CLIENT_WRITE
#undef PARLEY_CLIENT_READ

}  // namespace parley::client
