#include "tests/client/scripted_server.h"

#include <arpa/inet.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "base/ensure.h"
#include "parley/internal/v1/rpc_status.pb.h"

namespace parley::testing {
namespace {

template <class Request, class Response>
grpc::Status answer(const Handler<Request, Response>& handler, grpc::ServerContext* context,
                    const Request* request, Response* response) {
  if (!handler) {
    return {grpc::StatusCode::UNIMPLEMENTED, "not in this script"};
  }
  return handler(*context, *request, *response);
}

// One method of the API: its name there, and in the script.
// NOLINTBEGIN(bugprone-macro-parentheses): types and names cannot stand in parentheses
#define PARLEY_SCRIPTED(Method, method)                                                 \
  grpc::Status Method(grpc::ServerContext* context, const v1::Method##Request* request, \
                      v1::Method##Response* response) override {                        \
    return answer(script_.method, context, request, response);                          \
  }
// NOLINTEND(bugprone-macro-parentheses)

class Accounts final : public v1::AccountService::Service {
 public:
  explicit Accounts(const Script& script) : script_(script) {}
  PARLEY_SCRIPTED(CreateAccount, create_account)
  PARLEY_SCRIPTED(LogIn, log_in)
  PARLEY_SCRIPTED(LogOut, log_out)
  PARLEY_SCRIPTED(ChangePassword, change_password)
  PARLEY_SCRIPTED(DeleteAccount, delete_account)
  PARLEY_SCRIPTED(GetAccount, get_account)
  PARLEY_SCRIPTED(ListAccounts, list_accounts)

 private:
  const Script& script_;
};

class Messages final : public v1::MessageService::Service {
 public:
  explicit Messages(const Script& script) : script_(script) {}
  PARLEY_SCRIPTED(SendMessage, send_message)
  PARLEY_SCRIPTED(ListMessages, list_messages)
  PARLEY_SCRIPTED(MarkRead, mark_read)
  PARLEY_SCRIPTED(DeleteMessages, delete_messages)
  PARLEY_SCRIPTED(GetUnreadCounts, get_unread_counts)
  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchRequest* request,
                     grpc::ServerWriter<v1::WatchResponse>* writer) override {
    return answer(script_.watch, context, request, writer);
  }

 private:
  const Script& script_;
};

class Cluster final : public v1::ClusterService::Service {
 public:
  explicit Cluster(const Script& script) : script_(script) {}
  PARLEY_SCRIPTED(GetStatus, get_status)

 private:
  const Script& script_;
};

#undef PARLEY_SCRIPTED

}  // namespace

class ScriptedServer::Services {
 public:
  explicit Services(Script script) : script_(std::move(script)) {}
  void add_to(grpc::ServerBuilder& builder) {
    builder.RegisterService(&accounts_);
    builder.RegisterService(&messages_);
    builder.RegisterService(&cluster_);
  }

 private:
  const Script script_;
  Accounts accounts_{script_};
  Messages messages_{script_};
  Cluster cluster_{script_};
};

ScriptedServer::ScriptedServer(Script script, std::uint16_t port)
    : services_(std::make_unique<Services>(std::move(script))) {
  grpc::ServerBuilder builder;
  services_->add_to(builder);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 100);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(), &port_);
  server_ = builder.BuildAndStart();
  base::ensure(server_ != nullptr && port_ != 0, "the scripted server listens");
}

ScriptedServer::~ScriptedServer() {
  // At once: what is under way is broken off, as when a process is killed.
  server_->Shutdown(std::chrono::system_clock::now());
}

base::Address ScriptedServer::address() const { return {"127.0.0.1", static_cast<std::uint16_t>(port_)}; }

grpc::Status error_status(grpc::StatusCode code, const std::string& message, const v1::ErrorInfo& info) {
  internal::v1::RpcStatus status;
  status.set_code(static_cast<int>(code));
  status.set_message(message);
  status.add_details()->PackFrom(info);
  return {code, message, status.SerializeAsString()};
}

grpc::Status refused_status(grpc::StatusCode code, const std::string& message, std::uint64_t position) {
  v1::ErrorInfo info;
  info.set_reason("SCRIPTED");
  info.set_outcome(v1::OUTCOME_REFUSED);
  info.set_position(position);
  return error_status(code, message, info);
}

grpc::Status unknown_status(grpc::StatusCode code, const std::string& message) {
  v1::ErrorInfo info;
  info.set_reason("SCRIPTED");
  info.set_outcome(v1::OUTCOME_UNKNOWN);
  return error_status(code, message, info);
}

base::Address dead_address() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  base::ensure(::bind(socket, generic, size) == 0 && ::getsockname(socket, generic, &size) == 0,
               "a free port");
  ::close(socket);
  return {"127.0.0.1", ntohs(address.sin_port)};
}

}  // namespace parley::testing
