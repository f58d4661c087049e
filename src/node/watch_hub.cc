#include "node/watch_hub.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/hex.h"
#include "node/thread_name.h"

namespace parley::node {
namespace {

enum class Stage : std::uint8_t { waiting, asking, catching_up, live, ended };

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

struct WatchHub::Watch {
  WatchStart start;
  std::shared_ptr<WatchSink> sink;
  std::mutex calls;               // held while the sink is called
  bool is_closed = false;         // guarded by `calls`: no call after it is set
  std::atomic<bool> gone{false};  // the subscriber has left

  // The hub thread alone.
  Stage stage = Stage::waiting;
  base::Position cursor;      // given everything up to here
  base::Position checked_at;  // the session was there as of this position
  bool has_begun = false;     // its first heartbeat was given
  bool is_foreign = false;    // of another cluster
};

// What a reader found out for a watch.
struct WatchHub::Answer {
  WatchPtr watch;
  std::optional<base::Error> error;  // the watch ends
  base::Position snapshot;
  bool is_replay = false;  // `events` are all of this watch's up to the snapshot, or a page of them
  std::vector<chat::SharedEvent> events;
  bool is_more = false;                         // another page lies behind these
  std::optional<base::Position> resync_oldest;  // too old to replay
};

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
  }

 private:
  WatchPtr watch_;
};

WatchHub::WatchHub(World& world, WatchLimits limits, base::Position applied)
    : world_(world),
      limits_(limits),
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
  std::optional<base::Error> refusal;
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) {
      refusal = base::refused(base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
    } else if (watch_count_ >= limits_.max_watches) {
      refusal = base::refused(base::Code::resource_exhausted, "TOO_MANY_WATCHES",
                              "This node serves too many watches.");
    } else {
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
  std::vector<Answer> answers;
  std::vector<chat::SharedEvent> fresh;
  base::Position end;
  bool is_stopping = false;
  bool has_lost_events = false;
  {
    std::unique_lock lock(mutex_);
    wake_.wait_until(lock, next_heartbeat_, [this] {
      return stopping_ || !arrived_.empty() || !answers_.empty() ||
             (watch_count_ > 0 && ring_.end() > delivered_);
    });
    is_stopping = stopping_;
    arrived = std::exchange(arrived_, {});
    answers = std::exchange(answers_, {});
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
  for (Answer& answer : answers) {
    take_answer(answer);
  }
  catch_up();
  if (std::chrono::steady_clock::now() >= next_heartbeat_) {
    beat();
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
    ask(watch);
  }
}

void WatchHub::move_waiting() {
  std::vector<WatchPtr> still;
  for (const WatchPtr& watch : std::exchange(waiting_, {})) {
    if (watch->stage != Stage::waiting || watch->gone) {
      continue;
    }
    if (watch->cursor > delivered_) {
      still.push_back(watch);
    } else {
      ask(watch);
    }
  }
  waiting_ = std::move(still);
}

void WatchHub::ask(const WatchPtr& watch) {
  watch->stage = Stage::asking;
  bool needs_replay = false;
  {
    const std::scoped_lock lock(mutex_);
    needs_replay = watch->cursor < ring_.floor();
  }
  world_.read_applied([this, watch, cursor = watch->cursor, needs_replay](base::Result<chat::Reader*> reader,
                                                                          const AsOf& as_of) {
    Answer answer =
        reader ? ask_reader(watch, cursor, needs_replay, limits_.replay_page, **reader, as_of.position)
               : Answer{.watch = watch, .error = reader.error()};
    {
      const std::scoped_lock lock(mutex_);
      answers_.push_back(std::move(answer));
    }
    wake_.notify_one();
  });
}

WatchHub::Answer WatchHub::ask_reader(const WatchPtr& watch, base::Position cursor, bool needs_replay,
                                      std::size_t page, chat::Reader& reader, base::Position snapshot) {
  Answer answer{.watch = watch, .snapshot = snapshot};
  auto session = reader.session(watch->start.session);
  if (!session) {
    answer.error = session.error();
    return answer;
  }
  if (!*session || (*session)->account != watch->start.account) {
    answer.error = base::refused(base::Code::unauthenticated, "SESSION_ENDED", "The session has ended.");
    return answer;
  }
  bool is_too_old = watch->is_foreign;
  if (!is_too_old && needs_replay) {
    auto events = reader.events_after(watch->start.account, cursor, page);
    if (!events) {
      answer.error = events.error();
      return answer;
    }
    is_too_old = !events->has_value();
    answer.is_replay = !is_too_old;
    if (!is_too_old) {
      answer.events = std::move(**events);
      answer.is_more = answer.events.size() >= page;
    }
  }
  if (is_too_old) {
    auto oldest = reader.oldest_replayable();
    if (oldest) {
      answer.resync_oldest = *oldest;
    } else {
      answer.error = oldest.error();
    }
  }
  return answer;
}

void WatchHub::take_answer(Answer& answer) {
  Watch& watch = *answer.watch;
  if (watch.stage != Stage::asking) {
    return;
  }
  if (answer.error) {
    end(watch, *answer.error);
    return;
  }
  watch.checked_at = std::max(watch.checked_at, answer.snapshot);
  if (answer.resync_oldest) {
    {
      const std::scoped_lock lock(watch.calls);
      if (!watch.is_closed && !watch.sink->on_resync(*answer.resync_oldest)) {
        watch.gone = true;
      }
    }
    watch.is_foreign = false;
    watch.cursor = answer.snapshot;
    watch.has_begun = false;
  }
  if (!watch.has_begun && !heartbeat(watch)) {
    return;
  }
  for (const chat::SharedEvent& event : answer.events) {
    if (!give(watch, event)) {
      return;
    }
  }
  if (answer.is_more) {
    ask(answer.watch);
    return;
  }
  const base::Position before = watch.cursor;
  // Only a replay has looked at what lies between; otherwise the ring has it.
  if (answer.is_replay) {
    watch.cursor = std::max(watch.cursor, answer.snapshot);
  }
  bool is_in_ring = false;
  {
    const std::scoped_lock lock(mutex_);
    is_in_ring = watch.cursor >= ring_.floor();
  }
  if (is_in_ring) {
    watch.stage = Stage::catching_up;
    catching_up_.push_back(answer.watch);
  } else if (!answer.is_replay || watch.cursor > before) {
    ask(answer.watch);
  } else {
    stuck_.push_back(answer.watch);
  }
}

// All that catch up share one walk over the ring.
void WatchHub::catch_up() {
  const std::vector<WatchPtr> catching_up = std::exchange(catching_up_, {});
  if (catching_up.empty()) {
    return;
  }
  base::Position first = delivered_;
  for (const WatchPtr& watch : catching_up) {
    first = std::min(first, watch->cursor);
  }
  std::vector<chat::SharedEvent> events;
  {
    const std::scoped_lock lock(mutex_);
    if (first >= ring_.floor()) {
      events = ring_.after(first);
    }
    if (first < ring_.floor()) {
      first = ring_.floor().next();
    }
  }
  std::multimap<chat::AccountId, WatchPtr> by_account;
  for (const WatchPtr& watch : catching_up) {
    if (watch->stage != Stage::catching_up) {
      continue;
    }
    if (watch->cursor < first) {
      ask(watch);  // the ring has moved on meanwhile
    } else {
      by_account.emplace(watch->start.account, watch);
    }
  }
  for (const chat::SharedEvent& event : events) {
    if (event->position > delivered_) {
      break;
    }
    for (const chat::AccountId account : event->audience) {
      const auto [begin, end] = by_account.equal_range(account);
      for (auto it = begin; it != end; ++it) {
        give(*it->second, event);
      }
    }
  }
  for (const auto& [account, watch] : by_account) {
    if (watch->stage == Stage::catching_up) {
      watch->stage = Stage::live;
    }
  }
}

void WatchHub::deliver(const std::vector<chat::SharedEvent>& events) {
  if (watches_.empty()) {
    return;
  }
  for (const chat::SharedEvent& event : events) {
    for (const chat::AccountId account : event->audience) {
      const auto [begin, end] = watches_.equal_range(account);
      for (auto it = begin; it != end; ++it) {
        if (it->second->stage == Stage::live) {
          give(*it->second, event);
        }
      }
    }
  }
}

// The ring has dropped events that live watches were not given yet: they replay them from the state.
void WatchHub::fall_back() {
  for (const auto& [account, watch] : watches_) {
    if (watch->stage != Stage::live) {
      continue;
    }
    watch->cursor = std::max(watch->cursor, delivered_);
    ask(watch);
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
  if (watch.stage == Stage::ended) {
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
  if (watch.stage == Stage::ended) {
    return false;
  }
  AsOf as_of = world_.as_of();
  as_of.position = watch.stage == Stage::live ? std::max(watch.cursor, delivered_) : watch.cursor;
  watch.has_begun = true;
  bool has_room = true;
  {
    const std::scoped_lock lock(watch.calls);
    if (!watch.is_closed) {
      has_room = watch.sink->on_heartbeat(as_of, world_.is_writable());
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
  for (const auto& [account, watch] : watches_) {
    if (watch->gone) {
      watch->stage = Stage::ended;
      has_ended_ = true;
    } else {
      heartbeat(*watch);
    }
  }
  for (const WatchPtr& watch : std::exchange(stuck_, {})) {
    if (watch->stage == Stage::asking) {
      ask(watch);
    }
  }
}

void WatchHub::end(Watch& watch, const base::Error& why) {
  if (watch.stage == Stage::ended) {
    return;
  }
  watch.stage = Stage::ended;
  has_ended_ = true;
  const std::scoped_lock lock(watch.calls);
  if (watch.is_closed) {
    return;
  }
  watch.is_closed = true;
  watch.sink->on_end(why);
}

void WatchHub::sweep() {
  has_ended_ = false;
  const std::size_t removed =
      std::erase_if(watches_, [](const auto& item) { return item.second->stage == Stage::ended; });
  const std::scoped_lock lock(mutex_);
  watch_count_ -= removed;
}

}  // namespace parley::node
