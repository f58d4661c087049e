#include "node/call_server.h"

#include <algorithm>
#include <string>
#include <utility>

#include "node/thread_name.h"

namespace parley::node {

CallReply make_reply(std::uint64_t forward_id, base::Result<std::string> result) {
  CallReply reply{.forward_id = forward_id};
  if (result) {
    if (result->size() > kMaxAnswerBytes) {
      reply.answer = base::outcome_unknown(base::Code::internal, "ANSWER_TOO_LARGE",
                                           "The leader's answer is larger than any may be.");
    } else {
      reply.answer = base::Payload(*std::move(result));
    }
    return reply;
  }
  base::Error error = std::move(result).error();
  if (is_state_broken(error) || error.reason == "NO_LEADER" || error.reason == "SHUTTING_DOWN") {
    reply.answer = error.outcome == base::Outcome::refused ? CallFailure::not_served : CallFailure::lost;
  } else {
    reply.answer = std::move(error);
  }
  return reply;
}

CallServer::CallServer(std::size_t max_calls, std::size_t max_size_bytes, Reply reply)
    : reply_(std::move(reply)),
      places_(std::make_shared<Places>(max_calls)),
      bytes_(std::make_shared<Places>(max_size_bytes)),
      queue_("calls", max_calls),
      thread_([this] { run(); }) {}

void CallServer::set_handler(std::weak_ptr<ApiHandler> handler) {
  const std::scoped_lock lock(mutex_);
  handler_ = std::move(handler);
}

bool CallServer::serve(const raft::Member& origin, ForwardCall& forward) {
  auto place = Place::take(places_);
  auto bytes = Place::take(bytes_, forward.call.request.size_bytes());
  if (!place || !bytes) {
    return false;
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(forward.deadline_ms);
  Job job{origin, std::move(forward), deadline, std::move(*place), std::move(*bytes)};
  if (queue_.try_push(std::move(job))) {
    return true;
  }
  forward = std::move(job.forward);  // NOLINT(bugprone-use-after-move): untouched when refused
  return false;
}

void CallServer::stop() {
  queue_.close();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void CallServer::run() {
  name_this_thread("calls");
  while (true) {
    auto jobs = queue_.pop_all();
    if (jobs.empty()) {
      return;
    }
    for (Job& job : jobs) {
      begin(std::move(job));
    }
  }
}

void CallServer::begin(Job job) {
  std::shared_ptr<ApiHandler> handler;
  {
    const std::scoped_lock lock(mutex_);
    handler = handler_.lock();
  }
  if (!handler) {
    reply_(job.origin, {.forward_id = job.forward.forward_id, .answer = CallFailure::not_served});
    return;
  }
  handler->on_call(std::move(job.forward.call), job.deadline,
                   [this, origin = job.origin, id = job.forward.forward_id, place = std::move(job.place),
                    bytes = std::move(job.bytes)](base::Result<std::string> result) {
                     reply_(origin, make_reply(id, std::move(result)));
                   });
}

}  // namespace parley::node
