#include "client/strangers.h"

#include <algorithm>

#include "base/ensure.h"

namespace parley::client {

void Strangers::note(std::size_t server, const AttemptError& attempt) {
  if (attempt.is_stranger) {
    found_.insert_or_assign(server, attempt.error);
  } else {
    found_.erase(server);
  }
}

const base::Error* Strangers::find(std::size_t server) const {
  const auto found = found_.find(server);
  return found == found_.end() ? nullptr : &found->second;
}

AttemptError Strangers::answer() const {
  base::ensure(!found_.empty(), "strangers that answer");
  const auto node =
      std::ranges::find_if(found_, [](const auto& it) { return it.second.reason != kNoClientPort; });
  return {.error = (node == found_.end() ? found_.begin() : node)->second, .reached = Reached::answered};
}

}  // namespace parley::client
