#include "gateway/event_encoder.h"

#include <utility>

namespace parley::gateway {

SharedBytes EventEncoder::encode(service::MethodId method, Codec codec, std::string message) {
  for (const auto& entry : kept_) {
    if (entry.chunk && entry.method == method && entry.codec == codec && entry.message == message) {
      return entry.chunk;
    }
  }
  Entry& entry = kept_.at(next_++ % kept_.size());
  entry = {method, codec, message,
           std::make_shared<const std::string>(
               as_chunk(envelope(0, from_proto(method, codec, std::move(message)))))};
  return entry.chunk;
}

}  // namespace parley::gateway
