// The cluster as any account may see it, and what changes it.
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "service/authorize.h"
#include "service/convert.h"
#include "service/handlers.h"

namespace parley::service {
namespace {

constexpr std::uint32_t kDefaultStatusInterval_ms = 1'000;
constexpr std::uint32_t kMinStatusInterval_ms = 100;
constexpr std::uint32_t kMaxStatusInterval_ms = 60'000;

void fill_status(const Service::State& service, v1::GetStatusResponse& out) {
  convert(service.node.status(), out);
  out.set_version(service.options.version);
}

base::Error not_implemented(std::string_view method) {
  return base::refused(base::Code::unimplemented, "NOT_IMPLEMENTED",
                       std::string(method) + " is not implemented in this version.");
}

// Ends a stream when its session ends; shows no events.
class SessionGuard : public node::WatchSink {
 public:
  explicit SessionGuard(std::weak_ptr<Stream> stream) : stream_(std::move(stream)) {}
  [[nodiscard]] bool on_event(const chat::SharedEvent&) override { return true; }
  [[nodiscard]] bool on_heartbeat(base::Position, const node::AsOf&, bool) override { return true; }
  [[nodiscard]] bool on_resync(base::Position) override { return true; }
  void on_end(const base::Error& why) override {
    if (const auto stream = stream_.lock()) {
      stream->finish(why);
    }
  }

 private:
  std::weak_ptr<Stream> stream_;
};

bool send_status(Stream& stream) {
  v1::WatchStatusResponse response;
  fill_status(stream.service(), *response.mutable_status());
  return stream.send(response.SerializeAsString());
}

}  // namespace

void get_status(const CallPtr<v1::GetStatusRequest, v1::GetStatusResponse>& call) {
  read_as_session(call, true, [call](chat::Reader&, const chat::SessionInfo&, const node::AsOf&) {
    fill_status(call->service(), call->response());
    call->succeed();
  });
}

void watch_status(const std::shared_ptr<Stream>& stream, const v1::WatchStatusRequest& request) {
  const std::uint32_t interval_ms =
      request.interval_ms() == 0 ? kDefaultStatusInterval_ms : request.interval_ms();
  if (interval_ms < kMinStatusInterval_ms || interval_ms > kMaxStatusInterval_ms) {
    const std::string limit = std::to_string(kMinStatusInterval_ms) + " to " +
                              std::to_string(kMaxStatusInterval_ms) + " ms, 0 for " +
                              std::to_string(kDefaultStatusInterval_ms);
    auto error = base::refused(base::Code::invalid_argument, "INVALID_INTERVAL",
                               "interval_ms: allowed are " + limit + ", not " + std::to_string(interval_ms));
    error.field = "interval_ms";
    error.limit = limit;
    stream->finish(error);
    return;
  }
  const auto session = session_of(stream->service().node, stream->authorization());
  if (!session) {
    stream->finish(session.error());
    return;
  }
  with_session(
      stream->service(), *session, stream->deadline(), true,
      [stream, interval_ms, session = *session](chat::Reader&, const chat::SessionInfo& caller,
                                                const node::AsOf&) {
        stream->keep(stream->service().node.watch({.account = caller.account, .session = session},
                                                  std::make_shared<SessionGuard>(stream)));
        if (!send_status(*stream)) {
          return;
        }
        stream->service().ticker.add(std::chrono::milliseconds(interval_ms), [weak = std::weak_ptr(stream)] {
          const auto living = weak.lock();
          return living && send_status(*living);
        });
      },
      [stream](const base::Error& error) { stream->finish(error); });
}

void add_node(const CallPtr<v1::AddNodeRequest, v1::AddNodeResponse>& call) {
  call->fail(not_implemented("AddNode"));
}

void remove_node(const CallPtr<v1::RemoveNodeRequest, v1::RemoveNodeResponse>& call) {
  call->fail(not_implemented("RemoveNode"));
}

void transfer_leadership(const CallPtr<v1::TransferLeadershipRequest, v1::TransferLeadershipResponse>& call) {
  call->fail(not_implemented("TransferLeadership"));
}

void backup(const std::shared_ptr<Stream>& stream, const v1::BackupRequest&) {
  stream->finish(not_implemented("Backup"));
}

}  // namespace parley::service
