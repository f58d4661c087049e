#include "tests/service/local_node.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "base/ensure.h"
#include "base/hex.h"

namespace parley::test {
namespace {

base::ClusterId test_cluster() {
  base::ClusterId id;
  id.bytes.fill(7);
  return id;
}

template <class T>
T must(chat::StateResult<T> result) {
  if (!result) {
    base::stop_process(result.error().what);
  }
  if constexpr (!std::is_void_v<T>) {
    return *std::move(result);
  }
}

}  // namespace

class LocalNode::LocalSubscription : public node::Subscription {
 public:
  LocalSubscription(LocalNode& node, std::uint64_t id) : node_(node), id_(id) {}
  ~LocalSubscription() override { node_.drop_watcher(id_); }
  LocalSubscription(const LocalSubscription&) = delete;
  LocalSubscription& operator=(const LocalSubscription&) = delete;

 private:
  LocalNode& node_;
  const std::uint64_t id_;
};

LocalNode::LocalNode(const std::string& folder, bool founded)
    : state_path_(folder + "/state.db"), state_(must(chat::StateMachine::open({.path = state_path_}))) {
  if (founded) {
    must(state_->apply_founding(base::Position(1), test_cluster(), std::string(32, 's')));
    must(state_->commit());
  }
}

LocalNode::~LocalNode() = default;

void LocalNode::write(chat::Command command, node::Deadline, node::WriteCallback done) {
  const std::scoped_lock lock(mutex_);
  if (hold_) {
    held_.emplace_back([this, command = std::move(command), done = std::move(done)]() mutable {
      write_locked(command, std::move(done));
    });
    return;
  }
  write_locked(command, std::move(done));
}

void LocalNode::write_locked(const chat::Command& command, node::WriteCallback done) {
  if (refusal_) {
    done(std::unexpected(*refusal_));
    return;
  }
  if (auto before = std::exchange(before_next_write_, nullptr)) {
    before();
  }
  ++writes_;
  const auto position = state_->applied().next();
  const chat::Stamp stamp{clock_ms_.load() + static_cast<std::int64_t>(position.value()),
                          server_time_unix_ms()};
  auto applied = must(state_->apply(position, stamp, chat::encode(command)));
  must(state_->commit());
  give_out(applied.events);
  if (std::exchange(lose_next_reply_, false)) {
    done(std::unexpected(
        base::outcome_unknown(base::Code::unavailable, "LEADER_LOST", "The reply was lost.")));
  } else {
    done(std::move(applied.result));
  }
}

void LocalNode::read(node::ReadMode mode, node::Deadline, node::ReadCallback done) {
  const std::scoped_lock lock(mutex_);
  if (mode == node::ReadMode::linearizable) {
    ++linearizable_reads_;
    if (hold_) {
      held_.emplace_back(
          [this, mode, done = std::move(done)]() mutable { read_locked(mode, std::move(done)); });
      return;
    }
  }
  read_locked(mode, std::move(done));
}

void LocalNode::read_locked(node::ReadMode mode, node::ReadCallback done) {
  if (mode == node::ReadMode::stale && frozen_reader_) {
    done(frozen_reader_.get(), as_of());
    return;
  }
  auto reader = take_reader();
  must(reader->begin());
  done(reader.get(), as_of());
  reader->end();
  free_readers_.push_back(std::move(reader));
}

std::unique_ptr<chat::Reader> LocalNode::take_reader() {
  if (free_readers_.empty()) {
    return must(chat::Reader::open({.path = state_path_}));
  }
  auto reader = std::move(free_readers_.back());
  free_readers_.pop_back();
  return reader;
}

std::unique_ptr<node::Subscription> LocalNode::watch(const node::WatchStart& start,
                                                     std::shared_ptr<node::WatchSink> sink) {
  const std::scoped_lock lock(mutex_);
  const auto id = next_watcher_++;
  bool goes_on = true;
  if (!start.cluster_id.empty() && start.cluster_id != base::to_string(test_cluster())) {
    goes_on = sink->on_resync(base::Position(1));
  }
  goes_on = goes_on && sink->on_heartbeat(as_of().position, as_of(), true);
  if (goes_on && start.after) {
    auto reader = take_reader();
    must(reader->begin());
    const auto events = reader->events_after(start.account, *start.after, 1'000);
    reader->end();
    free_readers_.push_back(std::move(reader));
    base::ensure(events && *events, "a test resumes within the horizon");
    for (const auto& event : **events) {
      goes_on = goes_on && sink->on_event(event);
    }
  }
  if (goes_on) {
    watchers_.emplace(id, Watcher{start, std::move(sink)});
  }
  return std::make_unique<LocalSubscription>(*this, id);
}

void LocalNode::give_out(const std::vector<chat::SharedEvent>& events) {
  for (const auto& event : events) {
    for (auto item = watchers_.begin(); item != watchers_.end();) {
      const auto& [start, sink] = item->second;
      if (std::ranges::find(event->audience, start.account) == event->audience.end()) {
        ++item;
        continue;
      }
      bool goes_on = true;
      if (const auto* ended = std::get_if<chat::SessionsEnded>(&event->what)) {
        const bool all = ended->sessions.empty() && start.session != ended->kept;
        goes_on = !all && std::ranges::find(ended->sessions, start.session) == ended->sessions.end();
        if (!goes_on) {
          sink->on_end(base::refused(base::Code::unauthenticated, "SESSION_ENDED", "The session has ended."));
        }
      } else {
        goes_on = sink->on_event(event);
      }
      item = goes_on ? std::next(item) : watchers_.erase(item);
    }
  }
}

void LocalNode::heartbeat() {
  const std::scoped_lock lock(mutex_);
  std::erase_if(watchers_, [this](auto& item) {
    return !item.second.sink->on_heartbeat(as_of().position, as_of(), true);
  });
}

void LocalNode::drop_watcher(std::uint64_t id) {
  const std::scoped_lock lock(mutex_);
  watchers_.erase(id);
}

void LocalNode::call_leader(node::CallToLeader, node::ApiCallback done) {
  ++calls_to_leader_;
  done(std::unexpected(base::refused(base::Code::unavailable, "STATE_FAILED", "This node leads.")));
}

void LocalNode::set_api_handler(std::weak_ptr<node::ApiHandler> handler) {
  const std::scoped_lock lock(mutex_);
  api_handler_ = std::move(handler);
}

std::shared_ptr<node::ApiHandler> LocalNode::api_handler() const {
  const std::scoped_lock lock(mutex_);
  return api_handler_.lock();
}

node::NodeStatus LocalNode::status() const {
  const std::scoped_lock lock(mutex_);
  node::NodeStatus status;
  status.cluster_id = test_cluster();
  status.self = base::NodeId(1);
  status.is_leader = true;
  status.term = 1;
  status.leader = base::NodeId(1);
  status.commit_index = state_->applied().value();
  status.applied_index = state_->applied().value();
  status.nodes = {
      {.id = base::NodeId(1), .is_leader = true, .peer_address = "127.0.0.1:7701", .healthy = true}};
  status.writable = true;
  status.acknowledged_writes = writes_;
  status.leader_changes = {
      {.term = 1, .leader = base::NodeId(1), .at_unix_ms = 1'700'000'000'000, .gap_ms = 12}};
  status.as_of = as_of();
  return status;
}

node::AsOf LocalNode::as_of() const { return {state_->applied(), 0, test_cluster()}; }

std::optional<chat::TokenKey> LocalNode::token_key() const {
  const std::scoped_lock lock(mutex_);
  return state_->token_key();
}

std::int64_t LocalNode::server_time_unix_ms() const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count() + clock_ms_;
}

void LocalNode::lose_next_reply() {
  const std::scoped_lock lock(mutex_);
  lose_next_reply_ = true;
}

void LocalNode::refuse_writes(std::optional<base::Error> error) {
  const std::scoped_lock lock(mutex_);
  refusal_ = std::move(error);
}

void LocalNode::hold_answers(bool hold) {
  std::vector<std::move_only_function<void()>> released;
  {
    const std::scoped_lock lock(mutex_);
    hold_ = hold;
    if (!hold) {
      released.swap(held_);
    }
  }
  for (auto& task : released) {
    const std::scoped_lock lock(mutex_);
    task();
  }
}

void LocalNode::freeze_stale_reads(bool freeze) {
  const std::scoped_lock lock(mutex_);
  if (freeze) {
    frozen_reader_ = take_reader();
    must(frozen_reader_->begin());
  } else if (frozen_reader_) {
    frozen_reader_->end();
    free_readers_.push_back(std::move(frozen_reader_));
  }
}

void LocalNode::before_next_write(std::function<void()> action) {
  const std::scoped_lock lock(mutex_);
  before_next_write_ = std::move(action);
}

std::size_t LocalNode::held() const {
  const std::scoped_lock lock(mutex_);
  return held_.size();
}

std::size_t LocalNode::watchers() const {
  const std::scoped_lock lock(mutex_);
  return watchers_.size();
}

}  // namespace parley::test
