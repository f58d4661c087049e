// Client::Impl (private): the loop of attempts that every call runs through, and what Watch shares with it.
// Owned by: a Client. Any thread.
#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "client/attempt.h"
#include "client/client.h"
#include "client/connection.h"
#include "client/strangers.h"
#include "client/write_progress.h"

namespace parley::client {

class Client::Impl {
 public:
  using Send = std::function<grpc::Status(const Connection&, grpc::ClientContext&)>;

  explicit Impl(ClientOptions options);

  template <class Request, class Response>
  WriteOutcome<Response> write(Request request, const CallOptions& call,
                               grpc::Status (*method)(const Connection&, grpc::ClientContext&, const Request&,
                                                      Response*));
  template <class Request, class Response>
  base::Result<Response> read(const Request& request, const CallOptions& call,
                              grpc::Status (*method)(const Connection&, grpc::ClientContext&, const Request&,
                                                     Response*));

  // Shared with Watch.
  [[nodiscard]] const ClientOptions& options() const { return options_; }
  [[nodiscard]] const Connection& connection(std::size_t server) const { return *connections_[server]; }
  [[nodiscard]] std::size_t pick(std::optional<std::size_t> avoid);
  void note(std::size_t server, bool well);
  void authorize(grpc::ClientContext& context) const;
  // Nothing, or the error that this is another cluster than the pinned one.
  [[nodiscard]] std::optional<base::Error> check_cluster(const std::string& cluster_id);

  void set_token(std::string token);
  [[nodiscard]] std::string token() const;
  [[nodiscard]] std::string cluster_id() const;

 private:
  // One call's attempts: where, how many, until when.
  struct Attempts {
    std::chrono::steady_clock::time_point deadline;
    std::chrono::milliseconds shortest{0};  // with less time left, no further one is begun
    std::optional<std::size_t> last_server;
    int made = 0;
    int answered = 0;                        // with an error of a node of ours
    std::optional<base::Error> unavailable;  // what the last of these said that cannot serve anybody now
    bool last_reached_nobody = false;
    Strangers strangers;
    bool last_was_stranger = false;     // one of some
    std::optional<base::Error> newest;  // of those that are none
    // Servers that refused to be connected to, or were strangers, one after another with nothing else
    // between, and when the last of all did first.
    std::set<std::size_t> refused;
    std::optional<std::chrono::steady_clock::time_point> all_refused_at;
  };

  [[nodiscard]] Attempts begin(const CallOptions& call) const;
  [[nodiscard]] std::optional<AttemptError> attempt(Attempts& attempts, const CallOptions& call,
                                                    const Send& send);
  // Learns from it; what it says of one server may be the answer of all.
  [[nodiscard]] AttemptError note_error(Attempts& attempts, AttemptError error, bool is_stopped);
  // Waits before the next attempt. False: the call's time is over, or it was asked to stop.
  [[nodiscard]] bool may_go_on(const Attempts& attempts, const CallOptions& call,
                               const base::Error& error) const;

  // What a person is told in the end: what a node said of the cluster tells more than which other one is dead
  // or a stranger.
  [[nodiscard]] static base::Error to_tell(const Attempts& attempts, base::Error error);
  void note_presence(Attempts& attempts, bool is_somebody) const;
  // The error that ends a call because nobody is there.
  [[nodiscard]] std::optional<base::Error> nobody_listens(const Attempts& attempts,
                                                          const CallOptions& call) const;

  const ClientOptions options_;
  RequestIds request_ids_;
  std::vector<std::unique_ptr<Connection>> connections_;
  mutable std::mutex mutex_;  // guards what follows
  ServerList servers_;
  std::string token_;
  std::string cluster_id_;
};

}  // namespace parley::client
