#include "gateway/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "gateway/connect.h"
#include "service/refusals.h"

namespace parley::gateway {
namespace {

constexpr auto kOriginsAreGoodFor = std::chrono::milliseconds(1000);
constexpr std::string_view kApiPrefix = "/parley.v1.";

// What only the admin socket serves.
constexpr std::array<std::string_view, 4> kAdminMethods = {"AddNode", "RemoveNode", "TransferLeadership",
                                                           "Backup"};

Response with_status(unsigned status, const base::Error& error) {
  Response response = error_response(error);
  response.status = status;
  return response;
}

Response not_allowed(std::string_view allowed) {
  Response response = with_status(405, base::refused(base::Code::unimplemented, "METHOD_NOT_ALLOWED",
                                                     fmt::format("This is asked for by {}.", allowed)));
  response.add("Allow", std::string(allowed));
  return response;
}

Response text(unsigned status, std::string_view type, std::string body) {
  Response response;
  response.status = status;
  response.add("Content-Type", std::string(type));
  response.add("Cache-Control", "no-store");
  response.body = std::move(body);
  return response;
}

// For the page of another node of the cluster (CORS).
void allow_origin(Response& response, const std::string& cors) {
  if (!cors.empty()) {
    response.add("Access-Control-Allow-Origin", cors);
  }
  response.add("Vary", "Origin");
}

Response preflight(const Request& request) {
  Response response;
  response.status = 204;
  response.add("Access-Control-Allow-Methods", "POST");
  response.add("Access-Control-Allow-Headers",
               "authorization, content-type, connect-protocol-version, connect-timeout-ms");
  response.add("Access-Control-Max-Age", "7200");
  if (request.header("access-control-request-private-network") == "true") {
    response.add("Access-Control-Allow-Private-Network", "true");
  }
  return response;
}

std::optional<service::MethodId> method_of(std::string_view path) {
  const auto slash = path.find('/', 1);
  return slash == std::string_view::npos
             ? std::nullopt
             : service::find_method(path.substr(1, slash - 1), path.substr(slash + 1));
}

}  // namespace

Router::Router(const GatewayOptions& options, std::shared_ptr<Loop> loop, RoutedTo to)
    : options_(options),
      loop_(std::move(loop)),
      to_(std::move(to)),
      origins_({options.listen, options.advertise}) {}

void Router::handle(const std::shared_ptr<Exchange>& exchange, Request request) {
  if (request.path == "/healthz" || request.path == "/readyz") {
    // Of any name: whoever asks whether a node lives may know it by another one.
    exchange->respond(look_up(request));
    return;
  }
  refresh_origins();
  const auto host = request.header("host");
  if (!host.empty() && !origins_.is_own_host(host)) {
    exchange->respond(with_status(
        421,
        base::refused(base::Code::permission_denied, "FOREIGN_HOST",
                      fmt::format("This node is not known as {}; start it with --advertise-http {} if it "
                                  "shall be.",
                                  host, host))));
    return;
  }
  const std::string origin(request.header("origin"));
  const bool is_foreign = !origin.empty() && !origins_.is_own_origin(origin, host);
  if (is_foreign && request.verb != Verb::get && request.verb != Verb::head) {
    exchange->respond(with_status(
        403,
        base::refused(base::Code::permission_denied, "FOREIGN_ORIGIN",
                      fmt::format("{} is no origin of this cluster; its pages may not call it.", origin))));
    return;
  }
  if (request.path.starts_with(kApiPrefix)) {
    handle_method(exchange, std::move(request), is_foreign ? std::string() : origin);
  } else {
    exchange->respond(look_up(request));
  }
}

void Router::refresh_origins() {
  const auto now = std::chrono::steady_clock::now();
  if (now < origins_good_until_) {
    return;
  }
  std::vector<std::string> members;
  for (const auto& peer : to_.node.status().nodes) {
    members.push_back(peer.http_address);
  }
  // A page that was served before all were known could not go to the others for as long as it is open.
  const bool knows_all = std::ranges::none_of(members, &std::string::empty);
  origins_good_until_ = now + (knows_all ? kOriginsAreGoodFor : std::chrono::milliseconds(0));
  origins_.set_members(members);
}

void Router::handle_method(const std::shared_ptr<Exchange>& exchange, Request request,
                           const std::string& cors) {
  const auto answer = [&](Response response) {
    allow_origin(response, cors);
    exchange->respond(std::move(response));
  };
  const auto method = method_of(request.path);
  if (!method) {
    answer(with_status(404, base::refused(base::Code::unimplemented, "NO_SUCH_METHOD",
                                          "There is no method " + request.path + ".")));
    return;
  }
  if (request.verb == Verb::options) {
    answer(preflight(request));
    return;
  }
  if (request.verb != Verb::post) {
    answer(not_allowed("POST"));
    return;
  }
  const auto& info = service::info(*method);
  const bool is_unary = info.kind == service::MethodKind::unary;
  const auto type = request.header("content-type");
  if (!(is_unary ? unary_codec(type) : stream_codec(type))) {
    const auto accepted = is_unary
                              ? fmt::format("{}, {}", unary_type(Codec::json), unary_type(Codec::proto))
                              : fmt::format("{}, {}", stream_type(Codec::json), stream_type(Codec::proto));
    Response response =
        with_status(415, base::refused(base::Code::invalid_argument, "CONTENT_TYPE",
                                       fmt::format("{} takes {}, not \"{}\".", info.name, accepted, type)));
    response.add("Accept-Post", accepted);
    answer(std::move(response));
  } else if (!is_unary && request.is_http_1_0) {
    answer(with_status(505, base::refused(base::Code::unimplemented, "HTTP_VERSION",
                                          "A stream comes in chunks, which HTTP/1.0 does not know.")));
  } else if (is_unary) {
    call(exchange, *method, std::move(request), cors);
  } else {
    open(exchange, *method, request, cors);
  }
}

void Router::call(const std::shared_ptr<Exchange>& exchange, service::MethodId method, Request request,
                  const std::string& cors) {
  const Codec codec = *unary_codec(request.header("content-type"));
  // Answers come on any thread, and perhaps after the client has gone.
  auto answer = [weak = std::weak_ptr(exchange), method, codec, cors](base::Result<service::Answer> result) {
    const auto living = weak.lock();
    if (!living) {
      return;
    }
    Response response;
    if (result) {
      response.add("Content-Type", std::string(unary_type(codec)));
      response.add("Cache-Control", "no-store");
      response.charge = std::move(result->charge);
      response.body = from_proto(method, codec, std::move(result->bytes));
      // As JSON it may be six times as large. What a write has done is told all the same.
      if (!response.charge.raise_to(response.body.size()) && !service::info(method).is_write) {
        response = error_response(service::overloaded());
      }
    } else {
      response = error_response(result.error());
    }
    allow_origin(response, cors);
    living->respond(std::move(response));
  };
  const auto& info = service::info(method);
  if (std::ranges::find(kAdminMethods, info.name) != kAdminMethods.end()) {
    answer(std::unexpected(
        base::refused(base::Code::permission_denied, "ADMIN_ONLY",
                      fmt::format("{} is served on the node's admin socket only.", info.name))));
    return;
  }
  const auto deadline = check_headers(request, info.kind);
  if (!deadline) {
    answer(std::unexpected(deadline.error()));
    return;
  }
  const auto bytes = to_proto(method, codec, std::move(request.body));
  if (!bytes) {
    answer(std::unexpected(bytes.error()));
    return;
  }
  to_.service.call(method, *bytes,
                   {.authorization = std::string(request.header("authorization")),
                    .deadline = *deadline,
                    .executor = loop_},
                   [loop = loop_, answer = std::move(answer)](base::Result<service::Answer> result) mutable {
                     if (loop->on_own_thread()) {
                       answer(std::move(result));
                     } else {
                       loop->post([answer = std::move(answer), result = std::move(result)]() mutable {
                         answer(std::move(result));
                       });
                     }
                   });
}

void Router::open(const std::shared_ptr<Exchange>& exchange, service::MethodId method, const Request& request,
                  const std::string& cors) {
  const Codec codec = *stream_codec(request.header("content-type"));
  const auto& info = service::info(method);
  const auto outbox = std::make_shared<service::Outbox>(options_.limits.max_queued_events,
                                                        options_.limits.max_queued_size_bytes,
                                                        [loop = loop_, weak = std::weak_ptr(exchange)] {
                                                          loop->post([weak] {
                                                            if (const auto living = weak.lock()) {
                                                              living->wake();
                                                            }
                                                          });
                                                        });
  const auto deadline = check_headers(request, info.kind);
  StreamStart start{
      .head = {},
      .outbox = outbox,
      .encode = [this, method,
                 codec](std::string message) { return events_.encode(method, codec, std::move(message)); },
      .encode_end =
          [](const base::Error& why) {
            return std::make_shared<const std::string>(as_chunk(end_of_stream(why)));
          },
      .deadline = deadline.value_or(std::nullopt)};
  start.head.add("Content-Type", std::string(stream_type(codec)));
  start.head.add("Cache-Control", "no-store");
  start.head.add("X-Accel-Buffering", "no");
  allow_origin(start.head, cors);
  exchange->begin_stream(std::move(start));  // errors, too, are told inside a stream
  const auto body = open_envelope(request.body);
  const auto bytes = body ? to_proto(method, codec, *body) : body;
  if (std::ranges::find(kAdminMethods, info.name) != kAdminMethods.end()) {
    outbox->finish(base::refused(base::Code::permission_denied, "ADMIN_ONLY",
                                 fmt::format("{} is served on the node's admin socket only.", info.name)));
  } else if (!deadline) {
    outbox->finish(deadline.error());
  } else if (!bytes) {
    outbox->finish(bytes.error());
  } else {
    exchange->keep(to_.service.open(method, *bytes,
                                    {.authorization = std::string(request.header("authorization")),
                                     .deadline = *deadline,
                                     .executor = loop_},
                                    outbox));
  }
}

Response Router::look_up(const Request& request) {
  if (request.verb != Verb::get && request.verb != Verb::head) {
    return not_allowed("GET, HEAD");
  }
  if (request.path == "/healthz") {
    return text(200, "application/json", "{\"alive\":true}");
  }
  if (request.path == "/readyz") {
    return ready();
  }
  if (request.path == "/metrics") {
    return metrics();
  }
  if (auto file = page_.get(request, origins_.connect_sources())) {
    return *std::move(file);
  }
  return text(404, "text/plain; charset=utf-8", "There is nothing here.\n");
}

Response Router::ready() const {
  const auto status = to_.node.status();
  std::vector<std::string> reasons;
  if (status.cluster_id == base::ClusterId()) {
    reasons.emplace_back("no cluster yet: it waits for the other nodes of its list");
  } else if (status.leader.is_none()) {
    reasons.emplace_back("no leader");
  }
  if (!status.as_of.age_ms) {
    reasons.emplace_back("no word from a majority since it started");
  }
  if (!status.trouble.empty()) {
    reasons.push_back(status.trouble);
  }
  std::string list;
  for (const auto& reason : reasons) {
    list += (list.empty() ? "" : ",") + json_text(reason);
  }
  return text(reasons.empty() ? 200 : 503, "application/json",
              fmt::format("{{\"ready\":{},\"reasons\":[{}]}}", reasons.empty(), list));
}

// Wanted most where there is no room for answers: then all who ask share.
Response Router::metrics() {
  Response response = text(200, "text/plain; version=0.0.4; charset=utf-8",
                           to_.metrics.render(to_.node.status(), to_.service.load(), to_.http_counts()));
  if (auto charge = to_.service.answers()->charge_answer(response.body.size())) {
    response.charge = *std::move(charge);
  } else {
    response.shared_body =
        crowded_metrics_.take(std::exchange(response.body, {}), std::chrono::steady_clock::now());
  }
  return response;
}

}  // namespace parley::gateway
