// Router: what a request asks for, and who answers it: the API, the state of the node, the page. The rules of
// HTTP that all share are here: names, origins, methods. Private to gateway. Owned by: the gateway. Its
// thread alone.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/event_encoder.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"
#include "gateway/loop.h"
#include "gateway/metrics.h"
#include "gateway/origins.h"
#include "gateway/page.h"
#include "gateway/shared_page.h"
#include "node/chat_node.h"
#include "service/service.h"

namespace parley::gateway {

// All outlive the router.
struct RoutedTo {
  service::Service& service;
  const node::ChatNode& node;
  Metrics& metrics;
  std::function<HttpCounts()> http_counts;
};

class Router final : public RequestHandler {
 public:
  Router(const GatewayOptions& options, std::shared_ptr<Loop> loop, RoutedTo to);

  void handle(const std::shared_ptr<Exchange>& exchange, Request request) override;

 private:
  void handle_method(const std::shared_ptr<Exchange>& exchange, Request request, const std::string& cors);
  void call(const std::shared_ptr<Exchange>& exchange, service::MethodId method, Request request,
            const std::string& cors);
  void open(const std::shared_ptr<Exchange>& exchange, service::MethodId method, const Request& request,
            const std::string& cors);
  [[nodiscard]] Response look_up(const Request& request);
  [[nodiscard]] Response ready() const;
  [[nodiscard]] Response metrics();
  void refresh_origins();

  const GatewayOptions options_;
  const std::shared_ptr<Loop> loop_;
  const RoutedTo to_;
  Origins origins_;
  std::chrono::steady_clock::time_point origins_good_until_;
  EventEncoder events_;
  Page page_{embedded_page()};
  SharedPage crowded_metrics_;
};

}  // namespace parley::gateway
