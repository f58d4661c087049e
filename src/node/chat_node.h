// ChatNode: what the service sees of a node: writes with three outcomes, reads behind a barrier, watches,
// status. All calls return at once; answers come by callback. Owned by: the program; outlives service, rpc
// and gateway. Any thread calls it. Callbacks run on the node's threads and must not block: decode, post,
// return.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "chat/command.h"
#include "chat/event.h"
#include "chat/reader.h"
#include "chat/result.h"
#include "chat/token.h"
#include "node/api_call.h"

namespace parley::node {

using Deadline = std::chrono::steady_clock::time_point;

// Of the state that a read was answered from. No age: this node has not heard from a majority since it
// started.
struct AsOf {
  base::Position position;
  std::optional<std::uint32_t> age_ms;
  base::ClusterId cluster_id;
};

enum class ReadMode : std::uint8_t { linearizable, stale };

// Done or refused in the log: the result (its verdict tells). Otherwise an error whose outcome is refused
// (nothing happened, of this attempt) or unknown.
using WriteCallback = std::move_only_function<void(base::Result<chat::CommandResult>)>;

// Runs on a reader thread, between begin() and end(). The reader is only good inside the call.
using ReadCallback = std::move_only_function<void(base::Result<chat::Reader*>, const AsOf&)>;

// What a watcher is given. Called in order of position, from one thread at a time for a subscription. The
// first call is a heartbeat with the position where the watch begins (or a resync, and then a heartbeat with
// it).
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  // False: this watcher's bounded queue is full; the node cuts the subscription off (the client resumes).
  [[nodiscard]] virtual bool on_event(const chat::SharedEvent& event) = 0;
  // `position`: served so far, and the start of a watch that is ahead of this node, which `as_of` is not.
  [[nodiscard]] virtual bool on_heartbeat(base::Position position, const AsOf& as_of, bool writable) = 0;
  [[nodiscard]] virtual bool on_resync(base::Position oldest_position) = 0;
  virtual void on_end(const base::Error& why) = 0;  // the last call: session ended, too slow, shutting down
};

// Destroying it ends the watch; after that no more calls come. Not to be destroyed inside a call of its sink.
class Subscription {
 public:
  virtual ~Subscription() = default;
};

struct WatchStart {
  chat::AccountId account;
  chat::SessionHash session;
  std::optional<base::Position> after;  // nothing: from now on
  std::string cluster_id;               // another cluster's: resync
};

struct PeerView {
  base::NodeId id;
  bool is_leader = false;
  bool is_candidate = false;
  bool is_voter = true;
  std::string peer_address;
  std::string client_address;
  std::string http_address;
  std::uint64_t match_index = 0;
  std::optional<std::uint32_t> last_contact_ms;
  bool healthy = false;
};
struct LeaderChange {
  std::uint64_t term = 0;
  base::NodeId leader;
  std::int64_t at_unix_ms = 0;
  std::optional<std::uint32_t> gap_ms;
};
struct NodeStatus {
  base::ClusterId cluster_id;
  base::NodeId self;
  bool is_leader = false;
  bool is_candidate = false;
  std::uint64_t term = 0;
  base::NodeId leader;  // none: unknown
  std::uint64_t commit_index = 0;
  std::uint64_t applied_index = 0;
  std::uint64_t log_entries = 0;
  std::vector<PeerView> nodes;
  bool writable = false;
  std::uint64_t acknowledged_writes = 0;
  std::uint64_t log_writes = 0;              // each with its fdatasync, since this node started
  std::uint64_t log_write_us = 0;            // that they took together
  std::vector<LeaderChange> leader_changes;  // the last 20, oldest first
  AsOf as_of;
  std::string trouble;  // for people: what this node cannot do now, and why; empty: nothing
};

// A call that this node cannot answer from its own state, on its way to the leader.
struct CallToLeader {
  ApiCall call;
  Deadline deadline;
  bool is_write = false;
  // Done twice is done once: a read, or a write with a request_id. What is not is never sent a second time.
  bool is_repeatable = true;
  bool may_have_happened = false;  // a write of which an earlier attempt may have reached a log
};

// The encoded response, or why there is none.
using ApiCallback = std::move_only_function<void(base::Result<std::string>)>;

// Answers the calls that other nodes bring to this one while it leads: the service. Called on a thread of the
// node's own. It answers from this node, or says why not: it never takes the call any further.
class ApiHandler {
 public:
  virtual ~ApiHandler() = default;
  virtual void on_call(ApiCall call, Deadline deadline, ApiCallback done) = 0;
};

// The state of the node that says so cannot be used: somebody else has to answer (rule 16).
[[nodiscard]] inline bool is_state_broken(const base::Error& error) {
  return error.reason == "STATE_FAILED" || error.reason == "STATE_UNREADABLE";
}

class ChatNode {
 public:
  virtual ~ChatNode() = default;

  // The same bytes are proposed again after a change of leader, until the deadline (rule 6).
  virtual void write(chat::Command command, Deadline deadline, WriteCallback done) = 0;
  virtual void read(ReadMode mode, Deadline deadline, ReadCallback done) = 0;
  [[nodiscard]] virtual std::unique_ptr<Subscription> watch(const WatchStart& start,
                                                            std::shared_ptr<WatchSink> sink) = 0;

  // Has the leader's service answer, whoever leads until the deadline. RESOURCE_EXHAUSTED if too many are
  // under way.
  virtual void call_leader(CallToLeader call, ApiCallback done) = 0;
  // Who answers the calls that peers bring, from now on, for as long as it is there.
  virtual void set_api_handler(std::weak_ptr<ApiHandler> handler) = 0;

  [[nodiscard]] virtual NodeStatus status() const = 0;
  // Nothing: not founded yet; nobody has a token then.
  [[nodiscard]] virtual std::optional<chat::TokenKey> token_key() const = 0;
  // Inside the window of new request ids as far as this node knows: the median of the quorum's clocks, or its
  // own.
  [[nodiscard]] virtual std::int64_t server_time_unix_ms() const = 0;
};

}  // namespace parley::node
