// Health: gRPC's health protocol on our own completion queues. gRPC's built-in service is one of callbacks:
// its threads would poll the same sockets as ours, and cost an eighth of a loaded node. Private to rpc.
// Owned by: the server. Any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rpc/calls.h"

namespace parley::rpc {

class Health : public CallTarget {
 public:
  // `services`: the names that may be asked about, besides the empty one.
  Health(std::set<std::string, std::less<>> services, std::size_t max_watches)
      : services_(std::move(services)), max_watches_(max_watches) {}

  // Before the server is built: the methods to be registered in `raw`.
  [[nodiscard]] static std::vector<AcceptedMethod> add_methods(RawService& raw);
  [[nodiscard]] static bool is_stream(service::MethodId method);

  void set_serving(bool is_serving);
  // Nothing is served any more, and whoever watches is told so and ended.
  void end();

  // CallTarget
  void call(service::MethodId method, std::string_view request, service::CallContext context,
            service::ReplyCallback done) override;
  [[nodiscard]] std::unique_ptr<service::StreamHandle> open(
      service::MethodId method, std::string_view request, service::CallContext context,
      std::shared_ptr<service::ReplyStream> stream) override;

 private:
  struct Watcher {
    std::shared_ptr<service::ReplyStream> stream;
    bool is_known = false;  // the service that it asked about
  };
  class Watch;

  // With the mutex held.
  [[nodiscard]] std::string answer(bool is_known) const;
  [[nodiscard]] bool is_known(std::string_view name) const;

  const std::set<std::string, std::less<>> services_;
  const std::size_t max_watches_;
  std::mutex mutex_;
  bool is_serving_ = false;
  bool has_ended_ = false;
  std::map<const Watch*, Watcher> watchers_;
};

}  // namespace parley::rpc
