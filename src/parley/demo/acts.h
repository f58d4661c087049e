// Acts: what a person can do to the cluster, and what it was called in the story. Owned by: Demo. The main
// thread.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "parley/demo/ack_times.h"
#include "parley/demo/nodes.h"
#include "parley/demo/status_poller.h"

namespace parley::demo {

enum class Act : std::uint8_t { kill_leader, kill_another, freeze, cut_off, bring_back, restart_all, quit };

// The key that asks for it; nothing for other keys.
[[nodiscard]] std::optional<Act> act_of(char key);
[[nodiscard]] std::string name_of(Act act);

// One line of the story.
struct Event {
  Time time{};
  std::string text;  // "killed node 3, the leader"
  std::string mark;  // above the chart: "kill 3"; empty: none
  bool is_fault = false;
};

class Acts {
 public:
  explicit Acts(Nodes& nodes) : nodes_(nodes) {}

  // `chosen`: the node that a person pointed at, or 0. The error says why it cannot be done now.
  [[nodiscard]] std::expected<Event, std::string> perform(Act act, const Statuses& statuses, int chosen,
                                                          Time now);
  // Carries a restart of everything on, and looks after nodes that ended by themselves.
  [[nodiscard]] std::vector<Event> tick(Time now);
  [[nodiscard]] bool is_restarting() const { return stopping_since_.has_value(); }

 private:
  [[nodiscard]] std::expected<int, std::string> target(Act act, const Statuses& statuses, int chosen) const;
  [[nodiscard]] std::expected<Event, std::string> bring_back(int chosen, Time now);
  [[nodiscard]] Event restart_all(Time now);

  Nodes& nodes_;
  std::vector<int> away_;  // the one that went first is first
  std::optional<Time> stopping_since_;
};

}  // namespace parley::demo
