#include "rpc/health.h"

#include <utility>

#include "parley/internal/v1/grpc_health.pb.h"
#include "service/error_codec.h"

namespace parley::rpc {
namespace {

namespace v1 = grpc::health::v1;

constexpr std::string_view kService = "grpc.health.v1.Health";
constexpr service::MethodId kCheck(1);
constexpr service::MethodId kWatch(2);

base::Error malformed() {
  return base::refused(base::Code::invalid_argument, "MALFORMED_REQUEST", "The request does not parse.");
}

base::Error shutting_down() {
  return base::refused(base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
}

bool parse(std::string_view bytes, v1::HealthCheckRequest& request) {
  return request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

// Destroyed when its call ends; it then hears nothing more.
class Health::Watch : public service::StreamHandle {
 public:
  explicit Watch(Health& health) : health_(health) {}
  ~Watch() override {
    const std::scoped_lock lock(health_.mutex_);
    health_.watchers_.erase(this);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  Health& health_;
};

std::vector<AcceptedMethod> Health::add_methods(RawService& raw) {
  return {{&raw, raw.add(kService, "Check", RawService::Type::NORMAL_RPC), kCheck},
          {&raw, raw.add(kService, "Watch", RawService::Type::SERVER_STREAMING), kWatch}};
}

bool Health::is_stream(service::MethodId method) { return method == kWatch; }

std::string Health::answer(bool is_known) const {
  v1::HealthCheckResponse response;
  response.set_status(!is_known     ? v1::HealthCheckResponse::SERVICE_UNKNOWN
                      : is_serving_ ? v1::HealthCheckResponse::SERVING
                                    : v1::HealthCheckResponse::NOT_SERVING);
  return response.SerializeAsString();
}

bool Health::is_known(std::string_view name) const { return name.empty() || services_.contains(name); }

void Health::set_serving(bool is_serving) {
  const std::scoped_lock lock(mutex_);
  if (has_ended_ || std::exchange(is_serving_, is_serving) == is_serving) {
    return;
  }
  for (const auto& [watch, watcher] : watchers_) {
    if (watcher.is_known && !watcher.stream->send(answer(true))) {
      watcher.stream->finish(base::refused(base::Code::resource_exhausted, "WATCHER_TOO_SLOW",
                                           "This watcher reads more slowly than changes come."));
    }
  }
}

void Health::end() {
  set_serving(false);
  const std::scoped_lock lock(mutex_);
  has_ended_ = true;
  for (const auto& [watch, watcher] : watchers_) {
    watcher.stream->finish(shutting_down());
  }
}

void Health::call(service::MethodId, std::string_view request, service::CallContext,
                  service::ReplyCallback done) {
  v1::HealthCheckRequest parsed;
  if (!parse(request, parsed)) {
    done(std::unexpected(malformed()));
  } else if (!is_known(parsed.service())) {
    done(std::unexpected(
        base::refused(base::Code::not_found, "UNKNOWN_SERVICE", "This server has no service of this name.")));
  } else {
    std::string bytes;
    {
      const std::scoped_lock lock(mutex_);
      bytes = answer(true);
    }
    done(std::move(bytes));
  }
}

std::unique_ptr<service::StreamHandle> Health::open(service::MethodId, std::string_view request,
                                                    service::CallContext,
                                                    std::shared_ptr<service::ReplyStream> stream) {
  auto watch = std::make_unique<Watch>(*this);
  v1::HealthCheckRequest parsed;
  if (!parse(request, parsed)) {
    stream->finish(malformed());
    return watch;
  }
  const bool known = is_known(parsed.service());
  const std::scoped_lock lock(mutex_);
  if (watchers_.size() >= max_watches_) {
    stream->finish(too_many_streams("watches of its health"));
    return watch;
  }
  // A first message into an empty queue finds room; if not, nobody reads any more.
  if (!stream->send(answer(known)) || has_ended_) {
    stream->finish(shutting_down());
  } else {
    watchers_.emplace(watch.get(), Watcher{std::move(stream), known});
  }
  return watch;
}

}  // namespace parley::rpc
