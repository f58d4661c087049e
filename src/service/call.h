// Call: one unary request from its parsing to its answer. Private to service. Owned by: whoever carries it on
// (shared between the callbacks of one call, which run one after the other). One thread at a time.
#pragma once

#include <google/protobuf/arena.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/uuid7.h"
#include "service/state.h"

namespace parley::service {

// The caller's deadline within the bounds of design.md: 10 s from `now` where there is none, never more than
// 60 s. One that has passed stays as it is.
[[nodiscard]] node::Deadline bounded_deadline(const std::optional<node::Deadline>& wanted,
                                              std::chrono::steady_clock::time_point now);
[[nodiscard]] node::Deadline bounded_deadline(const std::optional<node::Deadline>& wanted);

// Parses what a client sent. The error says what does not parse: too large, no protobuf, no UTF-8.
[[nodiscard]] base::Result<void> parse(std::string_view bytes, google::protobuf::Message& into);

class CallBase : public std::enable_shared_from_this<CallBase> {
 public:
  CallBase(std::shared_ptr<Service::State> state, const MethodInfo& method, CallContext context,
           ReplyCallback done, std::size_t request_size_bytes);
  // Answers what nobody has answered: of a write, that its outcome is unknown.
  virtual ~CallBase();
  CallBase(const CallBase&) = delete;
  CallBase& operator=(const CallBase&) = delete;

  [[nodiscard]] Service::State& service() const { return *state_; }
  [[nodiscard]] node::ChatNode& node() const { return state_->node; }
  [[nodiscard]] const std::string& authorization() const { return context_.authorization; }
  [[nodiscard]] node::Deadline deadline() const { return deadline_; }

  // Where the error says that this node's state cannot be used, the whole call goes to the leader instead
  // (rule 16): nothing may be done with it afterwards in either case.
  void fail(base::Error error);

  // What a later attempt of this call, at whichever node, has to have in common with this one.
  void note_request_id(const base::RequestId& id) { request_id_ = id; }
  // From here on it may have happened.
  void note_proposed() { has_proposed_ = true; }

  // Runs `task` where the caller wants answers to be put together.
  void post(std::move_only_function<void()> task);

 protected:
  void reply(const google::protobuf::Message& response);
  [[nodiscard]] google::protobuf::Arena& arena() { return arena_; }
  // The request again, with this request_id if it has none; whether it has one now.
  struct Again {
    std::string bytes;
    bool has_request_id = false;
  };
  [[nodiscard]] virtual Again encode_again(const std::optional<base::RequestId>& request_id) = 0;

 private:
  void hand_over();
  // With what it is charged, until it is written. A read without room for it was not done; a write was, and
  // is answered in any case.
  [[nodiscard]] base::Result<Answer> charge(base::Result<std::string> result) const;

  std::shared_ptr<Service::State> state_;
  const MethodInfo& method_;
  CallContext context_;
  ReplyCallback done_;
  node::Deadline deadline_;
  const std::chrono::steady_clock::time_point began_at_ = std::chrono::steady_clock::now();
  // Answers `result`, and no longer counts as under way.
  void answer(base::Result<std::string> result);

  std::size_t request_size_bytes_;
  std::optional<base::RequestId> request_id_;
  bool has_proposed_ = false;
  alignas(std::max_align_t) std::array<char, 2048> first_block_;  // as the arena wants it
  google::protobuf::Arena arena_;
};

template <class Request, class Response>
class Call : public CallBase {
 public:
  using CallBase::CallBase;

  Request& request() { return *request_; }
  Response& response() { return *response_; }
  void succeed() { reply(*response_); }

 protected:
  [[nodiscard]] Again encode_again(const std::optional<base::RequestId>& request_id) override {
    bool has_request_id = false;
    if constexpr (requires { request_->set_request_id(std::string()); }) {
      if (request_->request_id().empty() && request_id) {
        request_->set_request_id(base::to_string(*request_id));
      }
      has_request_id = !request_->request_id().empty();
    }
    // What this node has not looked at, it does not pass on: so it is never larger than what came.
    request_->DiscardUnknownFields();
    return {request_->SerializeAsString(), has_request_id};
  }

 private:
  Request* request_ = google::protobuf::Arena::CreateMessage<Request>(&arena());
  Response* response_ = google::protobuf::Arena::CreateMessage<Response>(&arena());
};

template <class Request, class Response>
using CallPtr = std::shared_ptr<Call<Request, Response>>;

}  // namespace parley::service
