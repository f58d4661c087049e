// SharedPage: a page for when there is no room for answers. Whoever asks is given the same for a while: so
// those who ask and do not read hold one for each while together, however many they are. Private to gateway.
// Owned by: the router. The gateway's thread alone.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "gateway/exchange.h"

namespace parley::gateway {

class SharedPage {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // The last one while it is young; else `fresh`, which is then the last.
  [[nodiscard]] SharedBytes take(std::string fresh, Time now) {
    if (!last_ || now >= good_until_) {
      last_ = std::make_shared<const std::string>(std::move(fresh));
      good_until_ = now + kGoodFor;
    }
    return last_;
  }

 private:
  static constexpr auto kGoodFor = std::chrono::seconds(1);

  SharedBytes last_;
  Time good_until_;
};

}  // namespace parley::gateway
