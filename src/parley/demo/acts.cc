#include "parley/demo/acts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ensure.h"

namespace parley::demo {
namespace {

constexpr std::chrono::seconds kOldNodesStopPatience{15};

}  // namespace

std::optional<Act> act_of(char key) {
  switch (key) {
    case 'l':
      return Act::kill_leader;
    case 'k':
      return Act::kill_another;
    case 'f':
      return Act::freeze;
    case 'c':
      return Act::cut_off;
    case 'b':
      return Act::bring_back;
    case 's':
      return Act::restart_all;
    case 'q':
      return Act::quit;
    default:
      return std::nullopt;
  }
}

std::string name_of(Act act) {
  switch (act) {
    case Act::kill_leader:
      return "kill the leader";
    case Act::kill_another:
      return "kill another";
    case Act::freeze:
      return "freeze one";
    case Act::cut_off:
      return "cut one off";
    case Act::bring_back:
      return "bring one back";
    case Act::restart_all:
      return "stop all, start again";
    case Act::quit:
      return "count and quit";
  }
  base::stop_process("an act is one of its enumerators");
}

// Where nobody was pointed at: `kill another` takes one that does not lead, `freeze` and `cut off` the
// leader, since that is what people notice elsewhere.
std::expected<int, std::string> Acts::target(Act act, const Statuses& statuses, int chosen) const {
  const int leader = leader_of(statuses);
  if (chosen != 0 && act != Act::kill_leader) {
    if (!nodes_.is_up(chosen)) {
      return std::unexpected(
          fmt::format("node {} is {} already", chosen, to_string(nodes_.condition(chosen))));
    }
    return chosen;
  }
  if (act == Act::kill_another) {
    for (int node = kNodes; node >= 1; --node) {
      if (node != leader && nodes_.is_up(node)) {
        return node;
      }
    }
    return std::unexpected("no other node runs");
  }
  if (leader == 0 || !nodes_.is_up(leader)) {
    return std::unexpected("nobody leads right now");
  }
  return leader;
}

std::expected<Event, std::string> Acts::perform(Act act, const Statuses& statuses, int chosen, Time now) {
  if (is_restarting()) {
    return std::unexpected("all nodes are being started again");
  }
  if (act == Act::restart_all) {
    return restart_all(now);
  }
  if (act == Act::bring_back) {
    return bring_back(chosen, now);
  }
  const auto node = target(act, statuses, chosen);
  if (!node) {
    return std::unexpected(node.error());
  }
  const std::string who = fmt::format("node {}{}", *node, *node == leader_of(statuses) ? ", the leader" : "");
  away_.push_back(*node);
  if (act == Act::freeze) {
    nodes_.freeze(*node);
    return Event{
        .time = now, .text = "froze " + who, .mark = fmt::format("freeze {}", *node), .is_fault = true};
  }
  if (act == Act::cut_off) {
    nodes_.cut_off(*node);
    return Event{
        .time = now, .text = "cut off " + who, .mark = fmt::format("cut {}", *node), .is_fault = true};
  }
  nodes_.kill(*node);
  return Event{.time = now, .text = "killed " + who, .mark = fmt::format("kill {}", *node), .is_fault = true};
}

std::expected<Event, std::string> Acts::bring_back(int chosen, Time now) {
  if (away_.empty() || (chosen != 0 && std::ranges::count(away_, chosen) == 0)) {
    return std::unexpected(chosen != 0 ? fmt::format("node {} is here", chosen) : "all nodes are here");
  }
  const int node = chosen != 0 ? chosen : away_.front();
  const Condition before = nodes_.condition(node);
  if (auto done = nodes_.bring_back(node); !done) {
    return std::unexpected(done.error());
  }
  std::erase(away_, node);
  const char* const what = before == Condition::frozen    ? "thawed"
                           : before == Condition::cut_off ? "plugged in"
                                                          : "started";
  return Event{
      .time = now, .text = fmt::format("{} node {} again", what, node), .mark = fmt::format("back {}", node)};
}

Event Acts::restart_all(Time now) {
  nodes_.ask_all_to_stop();
  away_.clear();
  stopping_since_ = now;
  return {.time = now, .text = "stopped all five nodes", .mark = "stop", .is_fault = true};
}

std::vector<Event> Acts::tick(Time now) {
  std::vector<Event> events;
  for (std::string& what : nodes_.look()) {
    events.push_back({.time = now, .text = "!! " + std::move(what), .mark = "died", .is_fault = true});
  }
  for (int node = 1; node <= kNodes; ++node) {
    if (nodes_.condition(node) == Condition::died && !is_restarting() &&
        std::ranges::count(away_, node) == 0) {
      away_.push_back(node);
    }
  }
  if (!stopping_since_) {
    return events;
  }
  if (nodes_.any_runs()) {
    if (now - *stopping_since_ > kOldNodesStopPatience) {
      nodes_.kill_all();
    }
    return events;
  }
  stopping_since_.reset();
  if (auto done = nodes_.start_all(); !done) {
    events.push_back({.time = now, .text = "!! " + done.error(), .is_fault = true});
  } else {
    events.push_back({.time = now, .text = "started all five nodes again", .mark = "start"});
  }
  return events;
}

}  // namespace parley::demo
