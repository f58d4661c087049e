#include "service/peer_calls.h"

#include <optional>
#include <string>

namespace parley::service {

void PeerCalls::on_call(node::ApiCall call, node::Deadline deadline, node::ApiCallback done) {
  const std::string_view path = call.method;
  const auto slash = path.find('/');
  const auto method = slash == std::string_view::npos
                          ? std::nullopt
                          : find_method(path.substr(0, slash), path.substr(slash + 1));
  if (!method || info(*method).kind != MethodKind::unary || info(*method).stays_here) {
    done(std::unexpected(base::refused(base::Code::unimplemented, "UNKNOWN_METHOD",
                                       "The leader does not know " + call.method +
                                           ", or answers it for "
                                           "itself alone.")));
    return;
  }
  begin_call(state_, *method, call.request.view(),
             {.authorization = std::move(call.authorization), .deadline = deadline, .is_forwarded = true},
             std::move(done));
}

}  // namespace parley::service
