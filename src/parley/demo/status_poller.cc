#include "parley/demo/status_poller.h"

#include <condition_variable>
#include <utility>

#include "client/client.h"

namespace parley::demo {
namespace {

constexpr std::chrono::milliseconds kEvery{200};
constexpr std::chrono::milliseconds kPatience{400};

NodeStatus convert(const v1::GetStatusResponse& answer) {
  return {.role = answer.role() == v1::ROLE_LEADER      ? Role::leader
                  : answer.role() == v1::ROLE_CANDIDATE ? Role::candidate
                                                        : Role::follower,
          .term = answer.term(),
          .commit_index = answer.commit_index(),
          .applied_index = answer.applied_index(),
          .writable = answer.writable(),
          .heard = std::chrono::steady_clock::now()};
}

}  // namespace

int leader_of(const Statuses& statuses) {
  int leader = 0;
  std::uint64_t term = 0;
  for (std::size_t node = 0; node < statuses.size(); ++node) {
    const auto& status = statuses[node];
    if (status && status->role == Role::leader && status->term > term) {
      term = status->term;
      leader = static_cast<int>(node) + 1;
    }
  }
  return leader;
}

StatusPoller::StatusPoller(const std::vector<base::Address>& nodes, const std::string& token)
    : latest_(nodes.size()) {
  for (std::size_t node = 0; node < nodes.size(); ++node) {
    threads_.emplace_back([this, node, address = nodes[node], token](const std::stop_token& stop) {
      ask(node, address, token, stop);
    });
  }
}

StatusPoller::~StatusPoller() {
  for (std::jthread& thread : threads_) {
    thread.request_stop();
  }
  threads_.clear();
}

Statuses StatusPoller::latest() const {
  const std::scoped_lock lock(mutex_);
  return latest_;
}

void StatusPoller::ask(std::size_t node, const base::Address& address, const std::string& token,
                       const std::stop_token& stop) {
  client::ClientOptions options;
  options.servers = {address};
  options.token = token;
  options.connect_timeout = kPatience;
  client::Client client(std::move(options));
  std::mutex own;
  std::condition_variable_any nobody;
  while (!stop.stop_requested()) {
    const auto answer = client.get_status({}, {.timeout = kPatience, .stop = stop});
    {
      const std::scoped_lock lock(mutex_);
      latest_[node] = answer ? std::optional(convert(*answer)) : std::nullopt;
    }
    std::unique_lock lock(own);
    nobody.wait_for(lock, stop, kEvery, [] { return false; });
  }
}

}  // namespace parley::demo
