// Watch: a session's events as a stream, fed by apply.
#include <memory>
#include <utility>
#include <variant>

#include "service/authorize.h"
#include "service/convert.h"
#include "service/fields.h"
#include "service/handlers.h"

namespace parley::service {
namespace {

// The stream holds the subscription, which holds this: only a weak way back.
class WatchFeed : public node::WatchSink {
 public:
  WatchFeed(std::weak_ptr<Stream> stream, chat::AccountId account)
      : stream_(std::move(stream)), account_(account) {}

  [[nodiscard]] bool on_event(const chat::SharedEvent& event) override {
    if (std::holds_alternative<chat::SessionsEnded>(event->what)) {
      return true;
    }
    v1::WatchResponse response;
    convert(*event, account_, response);
    return send(response);
  }

  [[nodiscard]] bool on_heartbeat(base::Position position, const node::AsOf& as_of, bool writable) override {
    v1::WatchResponse response;
    response.set_position(position.value());
    convert(as_of, *response.mutable_heartbeat()->mutable_as_of());
    response.mutable_heartbeat()->set_writable(writable);
    return send(response);
  }

  [[nodiscard]] bool on_resync(base::Position oldest_position) override {
    v1::WatchResponse response;
    response.mutable_resync()->set_oldest_position(oldest_position.value());
    return send(response);
  }

  void on_end(const base::Error& why) override {
    if (const auto stream = stream_.lock()) {
      stream->finish(why);
    }
  }

 private:
  bool send(const v1::WatchResponse& response) {
    const auto stream = stream_.lock();
    return stream && stream->send(response.SerializeAsString());
  }

  std::weak_ptr<Stream> stream_;
  const chat::AccountId account_;
};

}  // namespace

void watch(const std::shared_ptr<Stream>& stream, const v1::WatchRequest& request) {
  const auto session = session_of(stream->service().node, stream->authorization());
  if (!session) {
    stream->finish(session.error());
    return;
  }
  node::WatchStart start{.session = *session, .cluster_id = request.cluster_id()};
  if (const auto good = check_id("after_position", request.after_position()); !good) {
    stream->finish(good.error());
    return;
  }
  if (request.has_after_position()) {
    start.after = base::Position(request.after_position());
  }
  // From what this node has applied: a watch serves a node that is cut off from its quorum, too.
  with_session(
      stream->service(), *session, stream->deadline(), true,
      [stream, start = std::move(start)](chat::Reader&, const chat::SessionInfo& caller,
                                         const node::AsOf&) mutable {
        start.account = caller.account;
        stream->keep(
            stream->service().node.watch(start, std::make_shared<WatchFeed>(stream, caller.account)));
      },
      [stream](const base::Error& error) { stream->finish(error); });
}

}  // namespace parley::service
