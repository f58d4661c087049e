// EventEncoder: responses of streams as chunks for the wire. The same event goes to many streams one after
// the other, and a heartbeat to all: what was encoded last is kept, and shared. Private to gateway. Owned by:
// the router. Its thread alone.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "gateway/connect.h"
#include "gateway/exchange.h"

namespace parley::gateway {

class EventEncoder {
 public:
  [[nodiscard]] SharedBytes encode(service::MethodId method, Codec codec, std::string message);

 private:
  struct Entry {
    service::MethodId method;
    Codec codec = Codec::json;
    std::string message;
    SharedBytes chunk;
  };
  std::array<Entry, 16> kept_;  // sender's and recipient's view of a few events, in both codecs
  std::size_t next_ = 0;
};

}  // namespace parley::gateway
