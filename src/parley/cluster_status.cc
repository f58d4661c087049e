#include "parley/cluster_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>

#include "base/address.h"
#include "parley/terminal_text.h"

namespace parley::cli {
namespace {

std::string role_name(v1::Role role) {
  switch (role) {
    case v1::ROLE_LEADER:
      return "leader";
    case v1::ROLE_CANDIDATE:
      return "candidate";
    case v1::ROLE_FOLLOWER:
      return "follower";
    default:
      return "?";
  }
}

std::string leader_of(const v1::GetStatusResponse& status) {
  return status.leader_id() == 0 ? "none" : std::to_string(status.leader_id());
}

std::string seen_ago(const v1::Node& node) {
  if (!node.has_last_contact_ms()) {
    return "never seen";
  }
  return fmt::format("seen {:.1f} s ago", node.last_contact_ms() / 1000.0);
}

const v1::Node* named_in(const v1::GetStatusResponse& status, std::uint32_t id) {
  const auto found = std::ranges::find(status.nodes(), id, &v1::Node::id);
  return found == status.nodes().end() ? nullptr : &*found;
}

std::string addresses_of(const v1::Node* node) {
  if (node == nullptr) {
    return "";
  }
  return fmt::format("{:<22}  {}", terminal_line(node->client_addr()), terminal_line(node->peer_addr()));
}

std::string row(std::uint32_t id, const v1::GetStatusResponse& view, const v1::Node* named) {
  const bool learns = named != nullptr && named->suffrage() == v1::SUFFRAGE_LEARNER;
  return fmt::format("{:>4}  {:<10}  {:>6}  {:>6}  {:>10}  {:>10}  {:<6}  {}", id,
                     learns ? "learner" : role_name(view.role()), view.term(), leader_of(view),
                     view.commit_index(), view.applied_index(), view.writable() ? "yes" : "NO",
                     addresses_of(named));
}

// It did not answer: what the leader knows of it. Followers hear of each other by chance only.
std::string silent_row(const v1::Node& node, const v1::GetStatusResponse* leader) {
  const v1::Node* const known = leader == nullptr ? nullptr : named_in(*leader, node.id());
  const std::string what = known == nullptr ? "no answer"
                                            : fmt::format("no answer; leader: stored {}, {}",
                                                          known->match_index(), seen_ago(*known));
  return fmt::format("{:>4}  {:<50}  {}", node.id(), what, addresses_of(&node));
}

// The one that says so in the newest term.
const v1::GetStatusResponse* leader_among(const NodeViews& views) {
  const v1::GetStatusResponse* leader = nullptr;
  for (const auto& [id, view] : views) {
    if (view.role() == v1::ROLE_LEADER && (leader == nullptr || view.term() > leader->term())) {
      leader = &view;
    }
  }
  return leader;
}

}  // namespace

NodeViews ask_all_nodes(const v1::GetStatusResponse& first, const client::ClientOptions& options,
                        std::chrono::milliseconds longest, const std::stop_token& stop) {
  std::set<std::string> asked;
  std::vector<base::Address> addresses;
  const auto add = [&](const base::Address& address) {
    if (asked.insert(base::to_string(address)).second) {
      addresses.push_back(address);
    }
  };
  std::ranges::for_each(options.servers, add);
  for (const v1::Node& node : first.nodes()) {
    if (const auto address = base::parse_address(node.client_addr());
        address && node.id() != first.node_id()) {
      add(*address);
    }
  }
  NodeViews views;
  views.emplace(first.node_id(), first);
  std::mutex mutex;
  {
    std::vector<std::jthread> threads;
    for (const base::Address& address : addresses) {
      threads.emplace_back([&, address] {
        client::ClientOptions one = options;
        one.servers = {address};
        one.timeout = std::min(options.timeout, longest);
        one.connect_timeout = one.timeout;
        client::Client client(std::move(one));
        const auto status =
            client.get_status({}, {.stop = stop, .nobody_after = std::chrono::milliseconds(0)});
        if (status && status->cluster_id() == first.cluster_id()) {
          const std::scoped_lock lock(mutex);
          views.emplace(status->node_id(), *status);
        }
      });
    }
  }
  return views;
}

std::vector<std::string> status_table(const v1::GetStatusResponse& first, const NodeViews& views) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("cluster {}, parley {}", terminal_line(first.cluster_id()),
                              terminal_line(first.version())));
  lines.push_back(fmt::format("{:>4}  {:<10}  {:>6}  {:>6}  {:>10}  {:>10}  {:<6}  {:<22}  {}", "node",
                              "role", "term", "leader", "committed", "applied", "writes", "clients",
                              "peers"));
  std::set<std::uint32_t> ids;
  for (const v1::Node& node : first.nodes()) {
    ids.insert(node.id());
  }
  for (const auto& [id, view] : views) {
    ids.insert(id);
  }
  const v1::GetStatusResponse* const leader = leader_among(views);
  for (const std::uint32_t id : ids) {
    const v1::Node* const named = named_in(first, id);
    if (const auto view = views.find(id); view != views.end()) {
      lines.push_back(row(id, view->second, named));
    } else {
      lines.push_back(silent_row(*named, leader));
    }
  }
  return lines;
}

}  // namespace parley::cli
