// ScriptedServer: a gRPC server that answers what a test tells it to: an answer, an error, silence.
// Owned by: a test. Handlers run on gRPC's threads.
#pragma once

#include <grpcpp/server.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/address.h"
#include "parley/v1/api.grpc.pb.h"

namespace parley::testing {

template <class Request, class Response>
using Handler = std::function<grpc::Status(grpc::ServerContext&, const Request&, Response&)>;

// A method without a handler answers UNIMPLEMENTED.
struct Script {
  Handler<v1::CreateAccountRequest, v1::CreateAccountResponse> create_account;
  Handler<v1::LogInRequest, v1::LogInResponse> log_in;
  Handler<v1::LogOutRequest, v1::LogOutResponse> log_out;
  Handler<v1::ChangePasswordRequest, v1::ChangePasswordResponse> change_password;
  Handler<v1::DeleteAccountRequest, v1::DeleteAccountResponse> delete_account;
  Handler<v1::GetAccountRequest, v1::GetAccountResponse> get_account;
  Handler<v1::ListAccountsRequest, v1::ListAccountsResponse> list_accounts;
  Handler<v1::SendMessageRequest, v1::SendMessageResponse> send_message;
  Handler<v1::ListMessagesRequest, v1::ListMessagesResponse> list_messages;
  Handler<v1::MarkReadRequest, v1::MarkReadResponse> mark_read;
  Handler<v1::DeleteMessagesRequest, v1::DeleteMessagesResponse> delete_messages;
  Handler<v1::GetUnreadCountsRequest, v1::GetUnreadCountsResponse> get_unread_counts;
  Handler<v1::GetStatusRequest, v1::GetStatusResponse> get_status;
  Handler<v1::WatchRequest, grpc::ServerWriter<v1::WatchResponse>> watch;
};

class ScriptedServer {
 public:
  // Port 0: one that is free.
  explicit ScriptedServer(Script script, std::uint16_t port = 0);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] base::Address address() const;

 private:
  class Services;
  std::unique_ptr<Services> services_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// An error as a node of Parley gives it: with ErrorInfo.
[[nodiscard]] grpc::Status error_status(grpc::StatusCode code, const std::string& message,
                                        const v1::ErrorInfo& info);
[[nodiscard]] grpc::Status refused_status(grpc::StatusCode code, const std::string& message,
                                          std::uint64_t position = 0);
[[nodiscard]] grpc::Status unknown_status(grpc::StatusCode code, const std::string& message);

// A loopback port that nobody listens on (at the moment).
[[nodiscard]] base::Address dead_address();

}  // namespace parley::testing
