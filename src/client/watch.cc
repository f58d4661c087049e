#include "client/watch.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_stream.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "client/client_impl.h"
#include "client/grpc_error.h"
#include "client/majority_probe.h"
#include "client/strangers.h"

namespace parley::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstReconnectPause{50};
constexpr milliseconds kMostReconnectPause{1'000};

// One stream at one node, read with a limit on silence and on being cut off. Used by one thread; cancel() by
// any.
class Stream {
 public:
  Stream(Client::Impl& client, std::size_t server, const v1::WatchRequest& request)
      : connection_(client.connection(server)), probe_(client, server, queue_) {
    client.authorize(context_);
    reader_ = connection_.messages().PrepareAsyncWatch(&context_, request, &queue_);
    reader_->StartCall(this);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  // Every operation that was started is taken from the queue before the stream goes.
  ~Stream() {
    context_.TryCancel();
    probe_.cancel();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  void cancel() { context_.TryCancel(); }

  // False: the stream is over; finish() says why.
  [[nodiscard]] bool started(milliseconds limit) { return take(limit); }
  // `response` outlives the stream: where nothing came in time, the read is still under way.
  [[nodiscard]] bool read(v1::WatchResponse& response, milliseconds limit) {
    reader_->Read(&response, this);
    if (!take(limit)) {
      return false;
    }
    if (response.has_heartbeat()) {
      probe_.on_heartbeat(response.heartbeat(), steady_clock::now());
    }
    return true;
  }
  // The server to go on with, where this one is cut off from the majority.
  [[nodiscard]] std::optional<std::size_t> better() const { return better_; }
  [[nodiscard]] AttemptError finish() {
    if (better_) {
      return {.error = base::refused(base::Code::unavailable, "CUT_OFF",
                                     "it is cut off from the majority, or far behind")};
    }
    if (silent_) {
      return {.error =
                  base::refused(base::Code::unavailable, "NO_HEARTBEAT", "it sent nothing for too long")};
    }
    grpc::Status status;
    reader_->Finish(&status, this);
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok) && tag != this) {  // an answer to the probe may come first
    }
    if (status.ok()) {
      return {.error = base::refused(base::Code::unavailable, "STREAM_ENDED", "it ended the stream")};
    }
    return to_attempt_error(status, connection_.name());
  }

 private:
  bool take(milliseconds limit) {
    const auto silent_at = steady_clock::now() + limit;
    while (true) {
      void* tag = nullptr;
      bool ok = false;
      const auto next = queue_.AsyncNext(&tag, &ok, to_grpc_deadline(std::min(silent_at, probe_.due())));
      const auto now = steady_clock::now();
      if (next == grpc::CompletionQueue::GOT_EVENT && tag == &probe_) {
        better_ = probe_.on_answer(now);
        if (better_) {
          return false;
        }
      } else if (next != grpc::CompletionQueue::TIMEOUT) {
        return next == grpc::CompletionQueue::GOT_EVENT && ok;
      } else if (now >= silent_at) {
        silent_ = true;
        return false;
      } else if (now >= probe_.due()) {
        probe_.ask();
      }
    }
  }

  const Connection& connection_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReader<v1::WatchResponse>> reader_;
  MajorityProbe probe_;
  std::optional<std::size_t> better_;
  bool silent_ = false;
};

// Of errors at which no other node would say anything else.
bool is_end(const AttemptError& attempt) {
  return attempt.reached == Reached::answered && !is_worth_another_attempt(attempt);
}

}  // namespace

class Watch::Impl {
 public:
  Impl(Client& client, WatchStart start, WatchHandler& handler)
      : client_(client.impl()),
        handler_(handler),
        start_(std::move(start)),
        thread_([this](const std::stop_token& stop) { run(stop); }) {}

  void move() {
    const std::scoped_lock lock(mutex_);
    if (stream_ != nullptr) {
      stream_->cancel();
    }
  }
  [[nodiscard]] std::uint64_t position() const { return position_.load(); }

 private:
  // The present stream is known to others only while it lives.
  class Present {
   public:
    Present(Impl& watch, Stream& stream) : watch_(watch) { set(&stream); }
    Present(const Present&) = delete;
    Present& operator=(const Present&) = delete;
    ~Present() { set(nullptr); }

   private:
    void set(Stream* stream) {
      const std::scoped_lock lock(watch_.mutex_);
      watch_.stream_ = stream;
    }
    Impl& watch_;
  };

  void run(const std::stop_token& stop) {
    std::optional<std::size_t> last_server;
    int failures = 0;  // in a row
    Strangers strangers(client_.options().servers.size());
    while (!stop.stop_requested()) {
      const auto chosen = std::exchange(next_server_, std::nullopt);
      const std::size_t server = chosen ? *chosen : client_.pick(last_server);
      last_server = server;
      const bool had_position = start_.after_position.has_value();
      const auto before = position_.load();
      AttemptError why = serve(server, stop);
      if (stop.stop_requested()) {
        return;
      }
      strangers.note(server, why);
      if (strangers.are_all()) {
        why = strangers.answer();
      }
      if (is_end(why)) {
        handler_.on_end(why.error);
        return;
      }
      if (why.error.reason == kResyncReason) {
        continue;
      }
      const bool went_on = position_.load() != before || had_position != start_.after_position.has_value();
      failures = went_on ? 0 : failures + 1;
      handler_.on_trouble(client_.connection(server).name(), why.error);
      pause(failures, stop);
    }
  }

  // Serves one stream to its end, and says why it ended.
  AttemptError serve(std::size_t server, const std::stop_token& stop) {
    const Connection& connection = client_.connection(server);
    if (connection.connect(steady_clock::now() + client_.options().connect_timeout) != Connected::yes) {
      client_.note(server, false);
      return {.error = base::refused(base::Code::unavailable, "NO_CONNECTION",
                                     "cannot connect to " + connection.name()),
              .reached = Reached::no};
    }
    v1::WatchRequest request;
    if (start_.after_position) {
      request.set_after_position(*start_.after_position);
      request.set_cluster_id(start_.cluster_id);
    }
    v1::WatchResponse response;
    Stream stream(client_, server, request);
    const Present present(*this, stream);
    const std::stop_callback cancel(stop, [this] { move(); });
    bool is_first = true;
    if (stream.started(start_.silence_limit)) {
      while (stream.read(response, start_.silence_limit)) {
        if (stop.stop_requested()) {
          break;
        }
        if (response.has_resync()) {
          // Again from now on; the handler is told when that stream has begun, so that nothing falls in
          // between.
          start_.after_position.reset();
          resync_is_due_ = true;
          return {.error = base::refused(base::Code::out_of_range, kResyncReason, "the position is too old")};
        }
        if (is_first) {
          is_first = false;
          client_.note(server, true);
          begun(connection.name(), response);
        }
        deliver(response);
      }
    }
    AttemptError why = stream.finish();
    next_server_ = stream.better();
    if ((why.reached != Reached::answered || why.is_stranger) && !stop.stop_requested()) {
      client_.note(server, false);
    }
    return why;
  }

  void begun(const std::string& server, const v1::WatchResponse& first) {
    if (first.has_heartbeat() && !first.heartbeat().as_of().cluster_id().empty()) {
      start_.cluster_id = first.heartbeat().as_of().cluster_id();
    }
    handler_.on_connected(server, first.position());
    if (resync_is_due_) {
      resync_is_due_ = false;
      handler_.on_resync();
    }
  }

  // What a node repeats, or sends late, is dropped: positions only rise.
  void deliver(const v1::WatchResponse& response) {
    const bool is_new = !start_.after_position || response.position() > *start_.after_position;
    if (!is_new && !response.has_heartbeat()) {
      return;
    }
    if (is_new) {
      start_.after_position = response.position();
    }
    handler_.on_event(response);
    position_.store(*start_.after_position);
  }

  static void pause(int failures, const std::stop_token& stop) {
    if (failures == 0) {
      return;
    }
    const auto length =
        std::min(kFirstReconnectPause * (1 << std::min(failures - 1, 5)), kMostReconnectPause);
    std::mutex mutex;
    std::condition_variable_any nobody;
    std::unique_lock lock(mutex);
    nobody.wait_for(lock, stop, length, [] { return false; });
  }

  static constexpr const char* kResyncReason = "RESYNC";

  Client::Impl& client_;
  WatchHandler& handler_;
  WatchStart start_;  // of the next stream; the watch's thread alone
  bool resync_is_due_ = false;
  std::optional<std::size_t> next_server_;  // known to serve better than the one before
  std::atomic<std::uint64_t> position_{0};
  std::mutex mutex_;
  Stream* stream_ = nullptr;  // guarded
  std::jthread thread_;       // last: it uses all of the above
};

Watch::Watch(Client& client, WatchStart start, WatchHandler& handler)
    : impl_(std::make_unique<Impl>(client, std::move(start), handler)) {}
Watch::~Watch() = default;

void Watch::move() { impl_->move(); }
std::uint64_t Watch::position() const { return impl_->position(); }

}  // namespace parley::client
