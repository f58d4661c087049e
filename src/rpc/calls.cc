#include "rpc/calls.h"

#include <grpcpp/grpcpp.h>

#include <string>
#include <utility>

#include "base/limits.h"
#include "base/request_size.h"
#include "rpc/bytes.h"
#include "service/error_codec.h"
#include "service/outbox.h"

namespace parley::rpc {
namespace {

service::CallContext context_of(const grpc::ServerContext& call,
                                const std::shared_ptr<CompletionLoop>& loop) {
  service::CallContext context;
  context.executor = loop;
  const auto& metadata = call.client_metadata();
  if (const auto found = metadata.find("authorization"); found != metadata.end()) {
    context.authorization.assign(found->second.data(), found->second.size());
  }
  if (call.deadline() != std::chrono::system_clock::time_point::max()) {
    const auto left = call.deadline() - std::chrono::system_clock::now();
    context.deadline = std::chrono::steady_clock::now() +
                       std::min<std::chrono::system_clock::duration>(left, std::chrono::hours(1));
  }
  return context;
}

class UnaryCall {
 public:
  UnaryCall(const CallHome& home, AcceptedMethod method) : home_(home), method_(method) {}

  void wait() {
    method_.raw->request_unary(method_.index, context_, request_, out_, home_.queue, home_.queue, &accepted_);
  }

 private:
  void on_accepted(bool ok) {
    std::unique_ptr<UnaryCall> self(this);
    if (!ok) {
      return;
    }
    accept_unary(home_, method_);
    if (auto refusal = refusal_by_size(request_)) {
      request_.Clear();
      finish(std::move(self), std::unexpected(*std::move(refusal)));
      return;
    }
    const FlatBytes bytes(request_);
    request_.Clear();  // `bytes` keeps it until it is parsed; the answer may wait long for its client
    auto context = context_of(context_, home_.loop);
    auto& target = home_.target;
    const auto method = method_.id;
    // Whoever answers may be another thread: the call goes back to its own.
    target.call(method, bytes.view(), std::move(context),
                [self = std::move(self)](base::Result<service::Answer> result) mutable {
                  auto loop = self->home_.loop;
                  if (loop->on_own_thread()) {
                    finish(std::move(self), std::move(result));
                  } else {
                    loop->post([self = std::move(self), result = std::move(result)]() mutable {
                      finish(std::move(self), std::move(result));
                    });
                  }
                });
  }

  static void finish(std::unique_ptr<UnaryCall> self, base::Result<service::Answer> result) {
    if (!self->home_.loop->accepts_operations()) {
      return;
    }
    UnaryCall& call = *self.release();  // on_finished deletes it
    call.deadline_.set(call.home_.options.answer_timeout);
    if (result) {
      call.charge_ = std::move(result->charge);
      call.out_.Finish(to_buffer(std::move(result->bytes)), grpc::Status::OK, &call.finished_);
    } else {
      call.out_.FinishWithError(to_status(result.error()), &call.finished_);
    }
  }

  void on_finished(bool) { delete this; }

  CallHome home_;
  AcceptedMethod method_;
  grpc::ServerContext context_;
  grpc::ByteBuffer request_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> out_{&context_};
  WriteDeadline deadline_{home_.deadlines, context_};
  service::AnswerCharge charge_;
  MemberCompletion<UnaryCall> accepted_{*this, &UnaryCall::on_accepted};
  MemberCompletion<UnaryCall> finished_{*this, &UnaryCall::on_finished};
};

// Kept alive by `self_` while gRPC owes it a completion.
class StreamCall : public std::enable_shared_from_this<StreamCall> {
 public:
  StreamCall(const CallHome& home, AcceptedMethod method) : home_(home), method_(method) {}

  void wait() {
    self_ = shared_from_this();
    context_.AsyncNotifyWhenDone(&done_);
    method_.raw->request_server_stream(method_.index, context_, request_, out_, home_.queue, home_.queue,
                                       &accepted_);
  }

 private:
  void on_accepted(bool ok) {
    if (!ok) {
      self_.reset();  // gRPC then never tells that it is done
      return;
    }
    owed_ = 1;  // on_done
    accept_stream(home_, method_);
    auto wake = [weak = weak_from_this(), loop = home_.loop] {
      loop->post([weak] {
        if (const auto self = weak.lock()) {
          self->outbox_->awake();
          self->pump();
        }
      });
    };
    outbox_ = std::make_shared<service::Outbox>(home_.options.max_queued_events,
                                                home_.options.max_queued_size_bytes, std::move(wake));
    if (const auto refusal = refusal_by_size(request_)) {
      request_.Clear();
      outbox_->finish(*refusal);
      return;
    }
    const FlatBytes bytes(request_);
    // A stream has no end of its own: a deadline of the caller's is kept by gRPC.
    handle_ = home_.target.open(method_.id, bytes.view(), context_of(context_, home_.loop), outbox_);
    request_.Clear();
  }

  void pump() {
    if (is_writing_ || is_finishing_ || is_done_ || !home_.loop->accepts_operations()) {
      if (is_writing_ && !is_done_) {
        bound_the_end();
      }
      return;
    }
    auto next = outbox_->next();
    if (next.message) {
      is_writing_ = true;
      ++owed_;
      grpc::WriteOptions write_options;
      // Never the first: with the headers gRPC begins no write for a message that may wait, and both would
      // lie there until the connection has something else to send, the answer to a ping perhaps.
      if (next.more && has_begun_) {
        write_options.set_buffer_hint();
      }
      has_begun_ = true;
      charge_ = std::move(next.message->charge);
      out_.Write(to_buffer(std::move(next.message->bytes)), write_options, &written_);
      if (next.is_ending) {
        bound_the_end();
      }
    } else if (next.end) {
      is_finishing_ = true;
      ++owed_;
      deadline_.set(home_.options.answer_timeout);
      out_.Finish(to_status(*next.end), &finished_);
    }
  }

  // Nothing more will come: the reader gets a while for what is left. One that was so slow that not even the
  // reason can be written gets a shorter one.
  void bound_the_end() {
    if (outbox_->is_cut_off()) {
      deadline_.set(home_.options.cut_off_grace);
    } else if (outbox_->has_ended()) {
      deadline_.set(home_.options.answer_timeout);
    }
  }

  void on_written(bool ok) {
    is_writing_ = false;
    charge_ = {};
    if (ok) {
      pump();
    }
    settle();
  }

  void on_finished(bool) { settle(); }

  void on_done(bool) {
    is_done_ = true;
    outbox_->close();
    handle_.reset();
    settle();
  }

  void settle() {
    if (--owed_ == 0) {
      self_.reset();
    }
  }

  CallHome home_;
  AcceptedMethod method_;
  grpc::ServerContext context_;
  grpc::ByteBuffer request_;
  grpc::ServerAsyncWriter<grpc::ByteBuffer> out_{&context_};
  WriteDeadline deadline_{home_.deadlines, context_};
  service::AnswerCharge charge_;  // of what is being written
  MemberCompletion<StreamCall> accepted_{*this, &StreamCall::on_accepted};
  MemberCompletion<StreamCall> written_{*this, &StreamCall::on_written};
  MemberCompletion<StreamCall> finished_{*this, &StreamCall::on_finished};
  MemberCompletion<StreamCall> done_{*this, &StreamCall::on_done};
  std::shared_ptr<StreamCall> self_;
  std::shared_ptr<service::Outbox> outbox_;
  std::unique_ptr<service::StreamHandle> handle_;
  int owed_ = 0;
  bool has_begun_ = false;  // its first message is written
  bool is_writing_ = false;
  bool is_finishing_ = false;
  bool is_done_ = false;
};

}  // namespace

grpc::Status to_status(const base::Error& error) {
  return {static_cast<grpc::StatusCode>(error.code), error.message, service::encode_status_details(error)};
}

base::Error too_many_streams(std::string_view which) {
  auto error = base::refused(base::Code::resource_exhausted, "TOO_MANY_STREAMS",
                             "This node serves too many " + std::string(which) + ".");
  error.retry_after_ms = 1'000;
  return error;
}

std::optional<base::Error> refusal_by_size(const grpc::ByteBuffer& message) {
  if (message.Length() <= base::kMaxRequestBytes) {
    return std::nullopt;
  }
  return base::request_too_large(message.Length());
}

void accept_unary(const CallHome& home, AcceptedMethod method) {
  if (home.loop->accepts_operations()) {
    (new UnaryCall(home, method))->wait();  // deletes itself
  }
}

void accept_stream(const CallHome& home, AcceptedMethod method) {
  if (home.loop->accepts_operations()) {
    std::make_shared<StreamCall>(home, method)->wait();  // keeps itself
  }
}

}  // namespace parley::rpc
