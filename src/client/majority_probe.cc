#include "client/majority_probe.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <algorithm>
#include <random>
#include <utility>

namespace parley::client {
namespace {

using std::chrono::milliseconds;

// An election takes less: who left a node for that would only move back.
constexpr milliseconds kPatience{3'000};
// A node whose disk has stalled takes writes, by way of the leader, and shows nothing of them. Left only for
// one whose age is below kPatience: where all are slow nobody moves in a circle.
constexpr milliseconds kBehind{6'000};
// An answer is waited for no longer than this.
constexpr milliseconds kAnswerLimit{1'500};
// All others are asked at once, then after pauses that grow: where nobody has a majority, the watch stays.
constexpr milliseconds kFirstProbePause{500};
constexpr milliseconds kMostProbePause{4'000};

// How long the node has heard of no majority; one that never has is as old as can be.
milliseconds age_of(const v1::AsOf& as_of) {
  return as_of.has_age_ms() ? milliseconds(as_of.age_ms()) : milliseconds::max();
}

}  // namespace

struct MajorityProbe::Call {
  std::size_t server;
  grpc::ClientContext context;
  v1::GetStatusResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::GetStatusResponse>> reader;
};

MajorityProbe::MajorityProbe(Client::Impl& client, std::size_t here, grpc::CompletionQueue& queue)
    : client_(client),
      here_(here),
      count_(client.options().servers.size()),
      queue_(queue),
      turn_(std::random_device{}() % count_) {}
MajorityProbe::~MajorityProbe() = default;

void MajorityProbe::on_heartbeat(const v1::Heartbeat& heartbeat, Time now) {
  const bool is_behind = heartbeat.as_of().has_age_ms() && age_of(heartbeat.as_of()) >= kBehind;
  if ((heartbeat.writable() && !is_behind) || count_ == 1) {
    is_needed_ = false;
    due_ = Time::max();
    return;
  }
  if (is_needed_) {
    return;
  }
  is_needed_ = true;
  asked_ = 0;
  cluster_id_ = heartbeat.as_of().cluster_id();
  // Also where the age does not grow: then it is something else that keeps the node from taking writes.
  due_ = now + kPatience - std::min(kPatience, age_of(heartbeat.as_of()));
}

void MajorityProbe::ask() {
  due_ = Time::max();
  if (call_) {
    return;  // of an earlier trouble; its answer sets the next time
  }
  do {
    turn_ = (turn_ + 1) % count_;
  } while (turn_ == here_);
  call_ = std::make_unique<Call>(turn_);
  call_->context.set_deadline(std::chrono::system_clock::now() + kAnswerLimit);
  client_.authorize(call_->context);
  call_->reader = client_.connection(turn_).cluster().PrepareAsyncGetStatus(&call_->context,
                                                                            v1::GetStatusRequest(), &queue_);
  call_->reader->StartCall();
  call_->reader->Finish(&call_->response, &call_->status, this);
}

std::optional<std::size_t> MajorityProbe::on_answer(Time now) {
  const std::unique_ptr<Call> call = std::move(call_);
  if (!is_needed_) {
    return std::nullopt;
  }
  const v1::GetStatusResponse& answer = call->response;
  // Whoever is itself cut off may not know it yet.
  if (call->status.ok() && answer.writable() && age_of(answer.as_of()) < kPatience &&
      answer.cluster_id() == cluster_id_) {
    return call->server;
  }
  ++asked_;
  const std::size_t others = count_ - 1;
  const auto doublings = static_cast<int>(std::min<std::size_t>(asked_ / others, 4)) - 1;
  due_ = asked_ % others == 0 ? now + std::min(kFirstProbePause * (1 << doublings), kMostProbePause) : now;
  return std::nullopt;
}

void MajorityProbe::cancel() {
  if (call_) {
    call_->context.TryCancel();
  }
}

}  // namespace parley::client
