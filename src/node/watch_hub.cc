#include "node/watch_hub.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "base/hex.h"
#include "node/thread_name.h"
#include "node/watch_parts.h"

namespace parley::node {
namespace {

base::Error shutting_down() {
  return base::refused(base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
}

bool ends(const chat::SessionsEnded& ended, const chat::SessionHash& session) {
  if (ended.sessions.empty()) {
    return session != ended.kept;
  }
  return std::ranges::find(ended.sessions, session) != ended.sessions.end();
}

}  // namespace

class WatchHub::Handle final : public Subscription {
 public:
  explicit Handle(WatchPtr watch) : watch_(std::move(watch)) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() override {
    watch_->gone.store(true);
    const std::scoped_lock lock(watch_->calls);
    watch_->is_closed = true;
    watch_->sink.reset();
    watch_->place = {};
  }

 private:
  WatchPtr watch_;
};

WatchHub::WatchHub(World& world, WatchLimits limits, base::Position applied)
    : world_(world),
      limits_(limits),
      living_(std::make_shared<Places>(limits.max_watches)),
      ring_(limits.ring_events, limits.ring_bytes, applied),
      delivered_(applied),
      next_heartbeat_(std::chrono::steady_clock::now() + limits.heartbeat),
      thread_([this] { run(); }) {}

WatchHub::~WatchHub() { stop(); }

void WatchHub::publish(base::Position applied, std::vector<chat::SharedEvent> events) {
  bool is_watched = false;
  {
    const std::scoped_lock lock(mutex_);
    ring_.push(applied, std::move(events));
    is_watched = watch_count_ > 0;
  }
  if (is_watched) {
    wake_.notify_one();
  }
}

void WatchHub::skip_to(base::Position position) {
  {
    const std::scoped_lock lock(mutex_);
    ring_.skip_to(position);
  }
  wake_.notify_one();
}

std::unique_ptr<Subscription> WatchHub::watch(const WatchStart& start, std::shared_ptr<WatchSink> sink) {
  auto watch = std::make_shared<Watch>();
  watch->start = start;
  watch->sink = std::move(sink);
  auto place = Place::take(living_);
  std::optional<base::Error> refusal;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) {
      refusal = base::refused(base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
    } else if (!place || watch_count_ >= 2 * limits_.max_watches) {
      refusal = base::refused(base::Code::resource_exhausted, "TOO_MANY_WATCHES",
                              "This node serves too many watches.");
    } else {
      watch->place = *std::move(place);
      ++watch_count_;
      arrived_.push_back(watch);
    }
  }
  if (refusal) {
    watch->is_closed = true;
    watch->sink->on_end(*refusal);
  } else {
    wake_.notify_one();
  }
  return std::make_unique<Handle>(std::move(watch));
}

void WatchHub::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void WatchHub::run() {
  name_this_thread("watch");
  while (turn()) {
  }
  for (const auto& [account, watch] : watches_) {
    end(*watch, shutting_down());
  }
}

bool WatchHub::turn() {
  std::vector<WatchPtr> arrived;
  std::vector<std::vector<Checked>> checked;
  std::vector<Page> pages;
  std::vector<chat::SharedEvent> fresh;
  base::Position end;
  bool is_stopping = false;
  bool has_lost_events = false;
  {
    std::unique_lock lock(mutex_);
    wake_.wait_until(lock, next_heartbeat_, [this] {
      return stopping_ || !arrived_.empty() || !checked_.empty() || !pages_.empty() ||
             (watch_count_ > 0 && ring_.end() > delivered_);
    });
    as_of_ = world_.as_of();
    is_stopping = stopping_;
    arrived = std::exchange(arrived_, {});
    checked = std::exchange(checked_, {});
    pages = std::exchange(pages_, {});
    end = ring_.end();
    has_lost_events = delivered_ < ring_.floor();
    if (!has_lost_events) {
      fresh = ring_.after(delivered_);
    }
  }
  for (const WatchPtr& watch : arrived) {
    watches_.emplace(watch->start.account, watch);
  }
  if (is_stopping) {
    return false;
  }
  if (has_lost_events) {
    fall_back();
  }
  deliver(fresh);
  delivered_ = end;
  for (const WatchPtr& watch : arrived) {
    begin(watch);
  }
  move_waiting();
  check_batches_ -= checked.size();
  for (const Checked& answer : std::views::join(checked)) {
    take_checked(answer);
  }
  for (const Page& page : pages) {
    take_page(page);
  }
  catch_up();
  if (std::chrono::steady_clock::now() >= next_heartbeat_) {
    beat();
  }
  replay();
  send_checks();
  if (has_many_gone()) {
    leave_gone();
  }
  if (has_ended_) {
    sweep();
  }
  return true;
}

void WatchHub::begin(const WatchPtr& watch) {
  const std::string own = base::to_string(world_.as_of().cluster_id);
  watch->is_foreign = !watch->start.cluster_id.empty() && watch->start.cluster_id != own;
  watch->cursor = watch->is_foreign ? delivered_ : watch->start.after.value_or(delivered_);
  if (watch->cursor > delivered_) {
    waiting_.push_back(watch);
  } else {
    check(watch);
  }
}

void WatchHub::move_waiting() {
  std::vector<WatchPtr> still;
  for (const WatchPtr& watch : std::exchange(waiting_, {})) {
    if (watch->stage != WatchStage::waiting || watch->gone) {
      continue;
    }
    if (watch->cursor > delivered_) {
      still.push_back(watch);
    } else {
      check(watch);
    }
  }
  waiting_ = std::move(still);
}

// All that catch up share one walk over the ring.
void WatchHub::catch_up() {
  const std::vector<WatchPtr> catching_up = std::exchange(catching_up_, {});
  if (catching_up.empty()) {
    return;
  }
  std::vector<chat::SharedEvent> events;
  {
    const std::scoped_lock lock(mutex_);
    base::Position first = delivered_;
    for (const WatchPtr& watch : catching_up) {
      if (watch->cursor < ring_.floor()) {
        check(watch);  // the ring has moved on meanwhile
      } else {
        first = std::min(first, watch->cursor);
      }
    }
    // Nobody is left to catch up where the ring has moved on beyond what live watches have.
    if (first >= ring_.floor()) {
      events = ring_.after(first);
    }
  }
  std::erase_if(events, [this](const chat::SharedEvent& event) { return event->position > delivered_; });
  give_all(events, catching_up, WatchStage::catching_up);
  for (const WatchPtr& watch : catching_up) {
    if (watch->stage == WatchStage::catching_up) {
      watch->stage = WatchStage::live;
    }
  }
}

void WatchHub::give_all(std::span<const chat::SharedEvent> events, std::span<const WatchPtr> watches,
                        WatchStage stage) {
  if (events.empty()) {
    return;
  }
  std::multimap<chat::AccountId, Watch*> by_account;
  for (const WatchPtr& watch : watches) {
    if (watch->stage == stage) {
      by_account.emplace(watch->start.account, watch.get());
    }
  }
  for (const chat::SharedEvent& event : events) {
    for (const chat::AccountId account : event->audience) {
      const auto [begin, end] = by_account.equal_range(account);
      for (auto it = begin; it != end; ++it) {
        give(*it->second, event);
      }
    }
  }
}

void WatchHub::deliver(const std::vector<chat::SharedEvent>& events) {
  if (watches_.empty()) {
    return;
  }
  for (const chat::SharedEvent& event : events) {
    // A session that has ended gets nothing more of a replay either.
    const bool ends_sessions = std::holds_alternative<chat::SessionsEnded>(event->what);
    for (const chat::AccountId account : event->audience) {
      const auto [begin, end] = watches_.equal_range(account);
      for (auto it = begin; it != end; ++it) {
        Watch& watch = *it->second;
        if (watch.stage == WatchStage::live || (ends_sessions && !watch.checked_at.is_none())) {
          give(watch, event);
        }
      }
    }
  }
}

// The ring has dropped events that live watches were not given yet: they replay them from the state.
void WatchHub::fall_back() {
  for (const auto& [account, watch] : watches_) {
    if (watch->stage != WatchStage::live) {
      continue;
    }
    watch->cursor = std::max(watch->cursor, delivered_);
    check(watch);
  }
}

bool WatchHub::give(Watch& watch, const chat::SharedEvent& event) {
  if (const auto* ended = std::get_if<chat::SessionsEnded>(&event->what)) {
    // What was before the check, the check has seen.
    if (event->position <= watch.checked_at || !ends(*ended, watch.start.session)) {
      return true;
    }
    end(watch, base::refused(base::Code::unauthenticated, "SESSION_ENDED", "The session has ended."));
    return false;
  }
  if (watch.stage == WatchStage::ended) {
    return false;
  }
  if (event->position <= watch.cursor) {
    return true;
  }
  watch.cursor = event->position;
  bool has_room = true;
  {
    const std::scoped_lock lock(watch.calls);
    if (!watch.is_closed) {
      has_room = watch.sink->on_event(event);
    }
  }
  if (!has_room) {
    end(watch,
        base::refused(base::Code::resource_exhausted, "WATCHER_TOO_SLOW",
                      "This watcher reads more slowly than events come. Resume after the last position."));
  }
  return has_room;
}

bool WatchHub::heartbeat(Watch& watch) {
  if (watch.stage == WatchStage::ended) {
    return false;
  }
  const base::Position position =
      watch.stage == WatchStage::live ? std::max(watch.cursor, delivered_) : watch.cursor;
  as_of_.position = delivered_;
  watch.has_begun = true;
  bool has_room = true;
  {
    const std::scoped_lock lock(watch.calls);
    if (!watch.is_closed) {
      has_room = watch.sink->on_heartbeat(position, as_of_, world_.is_writable());
    }
  }
  if (!has_room) {
    end(watch,
        base::refused(base::Code::resource_exhausted, "WATCHER_TOO_SLOW",
                      "This watcher reads more slowly than events come. Resume after the last position."));
  }
  return has_room;
}

void WatchHub::beat() {
  next_heartbeat_ = std::chrono::steady_clock::now() + limits_.heartbeat;
  leave_gone();
  for (const auto& [account, watch] : watches_) {
    // Who comes with another cluster's position hears of no position of ours before the resync: cut off in
    // between, it would come again as one of ours, with a position of theirs.
    if (!watch->is_foreign) {
      heartbeat(*watch);
    }
  }
  for (const WatchPtr& watch : std::exchange(stuck_, {})) {
    if (watch->stage == WatchStage::replaying) {
      check(watch);
    }
  }
}

void WatchHub::end(Watch& watch, const base::Error& why) {
  if (watch.stage == WatchStage::ended) {
    return;
  }
  leave(watch);
  const std::scoped_lock lock(watch.calls);
  if (watch.is_closed) {
    return;
  }
  watch.is_closed = true;
  watch.place = {};
  watch.sink->on_end(why);
}

// Enough that it is worth a walk over all; fewer wait for the next beat.
bool WatchHub::has_many_gone() const {
  const std::scoped_lock lock(mutex_);
  return watch_count_ > living_->taken() + limits_.max_watches / 4;
}

void WatchHub::leave_gone() {
  for (const auto& [account, watch] : watches_) {
    if (watch->gone) {
      leave(*watch);
    }
  }
}

void WatchHub::sweep() {
  has_ended_ = false;
  const auto has_ended = [](const WatchPtr& watch) { return watch->stage == WatchStage::ended; };
  const std::size_t removed =
      std::erase_if(watches_, [&](const auto& item) { return has_ended(item.second); });
  std::erase_if(to_check_, has_ended);
  std::erase_if(stuck_, has_ended);
  const std::scoped_lock lock(mutex_);
  watch_count_ -= removed;
}

}  // namespace parley::node
