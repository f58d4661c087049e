// Client: Parley's API over several servers. Every call goes to a living node, is tried again at another one
// when that fails, with the same request_id, until its time is over.
// Owned by: the program; outlives its Watches. Any thread; every call blocks its caller.
//
// A write ends as Done, Refused or Unknown (client/outcome.h); a read as an answer or an Error. LogIn has no
// request_id: trying it again opens another session, which does no harm.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "client/outcome.h"
#include "client/request_ids.h"
#include "client/server_list.h"
#include "parley/v1/api.pb.h"

namespace parley::client {

struct ClientOptions {
  std::vector<base::Address> servers;         // at least one
  std::string token;                          // empty: not logged in
  std::chrono::milliseconds timeout{10'000};  // of a whole call, all attempts together
  // Of the first attempt; each further one has twice as long. A node that waits for a leader, and has to give
  // up the old one first, says so after 2.6 s: no attempt is to end just then, with its outcome unknown.
  std::chrono::milliseconds attempt_timeout{4'000};
  std::chrono::milliseconds connect_timeout{1'000};
  std::chrono::milliseconds keepalive_interval{2'000};
  std::chrono::milliseconds keepalive_timeout{1'500};
  SkipTimes skip;
  RequestIds::Clock unix_ms;                // empty: the system's clock
  std::optional<std::size_t> first_server;  // empty: at random
};

// Told between two attempts.
struct Retry {
  std::string server;  // that failed
  base::Error error;   // its outcome is that of the whole write so far
  int attempts = 0;    // so far
};

struct CallOptions {
  std::optional<std::chrono::milliseconds> timeout;  // instead of the client's
  std::stop_token stop;                              // asks the call to end at once
  std::function<void(const Retry&)> on_retry;        // runs on the caller's thread
  // Once every server has refused to be connected to for this long, or was no use (client/strangers.h), the
  // call ends: nobody is there. Empty: it waits for one to come back, until its time is over. A write that
  // may have happened always waits.
  std::optional<std::chrono::milliseconds> nobody_after;
  bool unknown_before = false;  // the request's own request_id was used before, and that ended as Unknown
};

class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void set_token(std::string token);
  [[nodiscard]] std::string token() const;
  // The cluster that the first read answered for, which is pinned: a read that another cluster answers is
  // FAILED_PRECONDITION, reason OTHER_CLUSTER. Empty: none yet.
  [[nodiscard]] std::string cluster_id() const;
  [[nodiscard]] std::size_t server_count() const;

  // Writes. A request_id that is empty is made here.
  WriteOutcome<v1::CreateAccountResponse> create_account(v1::CreateAccountRequest, const CallOptions& = {});
  WriteOutcome<v1::LogInResponse> log_in(v1::LogInRequest, const CallOptions& = {});
  WriteOutcome<v1::LogOutResponse> log_out(v1::LogOutRequest, const CallOptions& = {});
  WriteOutcome<v1::ChangePasswordResponse> change_password(v1::ChangePasswordRequest,
                                                           const CallOptions& = {});
  WriteOutcome<v1::DeleteAccountResponse> delete_account(v1::DeleteAccountRequest, const CallOptions& = {});
  WriteOutcome<v1::SendMessageResponse> send_message(v1::SendMessageRequest, const CallOptions& = {});
  WriteOutcome<v1::MarkReadResponse> mark_read(v1::MarkReadRequest, const CallOptions& = {});
  WriteOutcome<v1::DeleteMessagesResponse> delete_messages(v1::DeleteMessagesRequest,
                                                           const CallOptions& = {});

  // Reads.
  base::Result<v1::GetAccountResponse> get_account(const v1::GetAccountRequest&, const CallOptions& = {});
  base::Result<v1::ListAccountsResponse> list_accounts(const v1::ListAccountsRequest&,
                                                       const CallOptions& = {});
  base::Result<v1::ListMessagesResponse> list_messages(const v1::ListMessagesRequest&,
                                                       const CallOptions& = {});
  base::Result<v1::ListConversationsResponse> list_conversations(const v1::ListConversationsRequest&,
                                                                 const CallOptions& = {});
  base::Result<v1::GetUnreadCountsResponse> get_unread_counts(const v1::GetUnreadCountsRequest&,
                                                              const CallOptions& = {});
  base::Result<v1::GetStatusResponse> get_status(const v1::GetStatusRequest&, const CallOptions& = {});

  // For Watch, which shares servers and token.
  class Impl;
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace parley::client
