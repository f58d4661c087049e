// Service: the rules of the API, once, whatever carries the requests: authenticate, validate, limit, call the
// node. Protobuf in, protobuf out, both as bytes. Owned by: the program; made after the node and destroyed
// after rpc and gateway have stopped. Any thread calls it; no call blocks.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/limits.h"
#include "node/chat_node.h"
#include "service/answer.h"
#include "service/method.h"

namespace parley::service {

// Runs tasks soon, in order, on a thread of its own; post() never blocks. Whoever brings requests lends one,
// so that answers are put together there and not on the node's threads.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(std::move_only_function<void()> task) = 0;
};

struct CallContext {
  std::string authorization;               // the header's value: "Bearer TOKEN"; empty: none was sent
  std::optional<node::Deadline> deadline;  // the caller's own; the rules of design.md bound it
  std::shared_ptr<Executor> executor;      // none: answers are put together where they arise
  // Another node brought it because its own state cannot be used: it is answered here or not at all, and is
  // counted there.
  bool is_forwarded = false;
};

// Called once, on any thread: the encoded response, or why there is none. Whoever writes the response keeps
// its charge until it is written.
using ReplyCallback = std::move_only_function<void(base::Result<Answer>)>;

// Where a server stream's responses go. The service calls it from one thread at a time, and never again after
// finish(). Must not block, and must not destroy the StreamHandle from inside a call.
class ReplyStream {
 public:
  virtual ~ReplyStream() = default;
  // Called before all else. What waits here is to be charged to it, where much can wait.
  virtual void use_budget(std::shared_ptr<AnswerBudget> /*budget*/) {}
  // False: its bounded queue is full, nobody reads any more, or whoever carries it has ended it. The service
  // then finishes the stream.
  [[nodiscard]] virtual bool send(std::string message) = 0;
  virtual void finish(const base::Error& why) = 0;
};

// Destroying it ends the stream; after that no more calls come. Not from inside a call to the ReplyStream.
class StreamHandle {
 public:
  virtual ~StreamHandle() = default;
};

// argon2id of libsodium. Never below its interactive limits outside tests: 64 MiB, 2 passes.
struct PasswordCost {
  std::uint64_t passes = 2;
  std::size_t memory_size_bytes = 64UL * 1024 * 1024;
};

// A unary call was answered: `code` is ok, or why not. Any thread; must not block.
using AnswerObserver =
    std::function<void(const MethodInfo& method, base::Code code, std::chrono::nanoseconds took)>;

struct ServiceOptions {
  std::string version;  // shown by GetStatus
  PasswordCost password_cost;
  std::size_t password_threads = 1;          // each takes memory_size_bytes while it works
  std::size_t max_waiting_passwords = 64;    // beyond: RESOURCE_EXHAUSTED
  std::size_t max_calls_in_flight = 20'000;  // unary; beyond: RESOURCE_EXHAUSTED
  std::size_t max_request_bytes_in_flight = 128UL * 1024 * 1024;
  // Answers on their way out, and what waits in streams, until the clients have taken it. Beyond: reads are
  // answered with RESOURCE_EXHAUSTED, streams are cut off; writes that were carried out are answered, and new
  // ones are begun until writes alone have used as much (answer.h has the bounds).
  std::size_t max_answer_bytes_in_flight = 256UL * 1024 * 1024;
  std::size_t max_streams = 10'000;
  std::size_t max_cached_sessions = 100'000;
  AnswerObserver on_answer;  // none: nobody counts
};

// What is under way.
struct ServiceLoad {
  std::size_t calls_in_flight = 0;  // unary
  std::size_t request_bytes_in_flight = 0;
  std::size_t answer_bytes_in_flight = 0;
  std::size_t open_streams = 0;
};

class Service {
 public:
  Service(node::ChatNode& node, ServiceOptions options);
  // Waits for passwords under way. Calls still waiting for the node may be answered later: they keep what
  // they need.
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // `method` must be unary. Answers exactly once, perhaps before it returns.
  void call(MethodId method, std::string_view request, CallContext context, ReplyCallback done);

  // `method` must be a server stream. An error is told by `stream->finish`.
  [[nodiscard]] std::unique_ptr<StreamHandle> open(MethodId method, std::string_view request,
                                                   CallContext context, std::shared_ptr<ReplyStream> stream);

  // Ends every stream with UNAVAILABLE and refuses new calls: the first step of stopping.
  void begin_shutdown();

  // Server streams that something is still kept for.
  [[nodiscard]] std::size_t open_streams() const;

  [[nodiscard]] ServiceLoad load() const;

  // What whoever carries answers charges what it makes itself to.
  [[nodiscard]] std::shared_ptr<AnswerBudget> answers() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
  std::shared_ptr<node::ApiHandler> peer_calls_;  // the node asks it as long as it is here
};

}  // namespace parley::service
