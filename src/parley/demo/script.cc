#include "parley/demo/script.h"

#include <fmt/format.h>

namespace parley::demo {
namespace {

// A cluster that does not come back is not waited for for ever: the count at the end tells.
constexpr std::chrono::seconds kLongestWait{60};

}  // namespace

std::expected<Script, std::string> Script::parse(const std::string& keys, std::chrono::milliseconds pause) {
  std::vector<Act> acts;
  for (const char key : keys) {
    const auto act = act_of(key);
    if (!act || *act == Act::quit) {
      return std::unexpected(fmt::format("'{}' is no key of a script; there are l k f c b s", key));
    }
    acts.push_back(*act);
  }
  acts.push_back(Act::quit);
  return Script(std::move(acts), pause);
}

std::optional<Act> Script::due(Time now, bool is_calm) {
  last_ = last_.value_or(now);
  if (!is_calm) {
    calm_since_.reset();
  } else if (!calm_since_) {
    calm_since_ = now;
  }
  const bool calm_enough = calm_since_ && now - *calm_since_ >= pause_ && now - *last_ >= pause_;
  if (at_ == acts_.size() || (!calm_enough && now - *last_ < kLongestWait)) {
    return std::nullopt;
  }
  return acts_[at_];
}

void Script::done(Time now) {
  ++at_;
  last_ = now;
  calm_since_.reset();
}

std::optional<Act> Script::next() const {
  return at_ < acts_.size() ? std::optional(acts_[at_]) : std::nullopt;
}

}  // namespace parley::demo
