// WatchHub: gives the events of the state machine to the watches of this node (design.md, Watch). One thread;
// an idle watch costs a heartbeat now and then and no query.
//
// The life of a watch: it waits until this node has applied its start (a node that lags) → its session is
// checked → what the ring no longer has is replayed from the state, page by page, and the session is checked
// again → it catches up from the ring → live: given each new event. A position too old to replay: one resync,
// then live. The hub thread alone moves a watch on and calls its sink, so a watch is given each position
// once, in order.
//
// However many resume at once, they share: one snapshot checks many sessions, one scan by id replays for all
// (replay_plan.h), one walk over the ring lets all catch up. What waits is at most each watch once.
//
// Ends of sessions: a check sees every end up to the snapshot's position; ends after it come as events.
//
// Owned by: the replica. publish: the apply thread. watch: any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "node/chat_node.h"
#include "node/event_ring.h"

namespace parley::node {

struct WatchLimits {
  std::size_t ring_events = 65'536;
  std::size_t ring_bytes = 32UL * 1024 * 1024;
  std::size_t replay_page = 500;
  // What replaying one account's events apart is worth, in rows of the scan for all.
  std::size_t rows_apart = 2'000;
  std::size_t max_watches = 20'000;  // that live; of those that have gone, as many may be kept for a while
  std::chrono::milliseconds heartbeat{2000};
};

enum class WatchStage : std::uint8_t;
class Places;

class WatchHub {
 public:
  // What the hub needs of its node. Any thread.
  class World {
   public:
    virtual ~World() = default;
    // A read of the state with everything in it that publish() has told of.
    virtual void read_applied(ReadCallback done) = 0;
    [[nodiscard]] virtual AsOf as_of() const = 0;  // its position is not looked at
    [[nodiscard]] virtual bool is_writable() const = 0;
  };

  // `applied`: where this process begins to apply.
  WatchHub(World& world, WatchLimits limits, base::Position applied);
  ~WatchHub();
  WatchHub(const WatchHub&) = delete;
  WatchHub& operator=(const WatchHub&) = delete;

  // Everything up to `applied` is committed, stored and run; these are its events that were not told yet.
  void publish(base::Position applied, std::vector<chat::SharedEvent> events);
  // The state has run everything up to `position` already, and nobody here was told of it: watches replay it.
  void skip_to(base::Position position);
  [[nodiscard]] std::unique_ptr<Subscription> watch(const WatchStart& start, std::shared_ptr<WatchSink> sink);
  // Ends every watch.
  void stop();

 private:
  struct Watch;
  struct Checked;
  struct Page;
  class Handle;
  using WatchPtr = std::shared_ptr<Watch>;

  void run();
  [[nodiscard]] bool turn();  // false: stopping
  void begin(const WatchPtr& watch);
  void deliver(const std::vector<chat::SharedEvent>& events);
  void move_waiting();
  void catch_up();
  void beat();
  void fall_back();
  [[nodiscard]] bool has_many_gone() const;
  void leave_gone();
  void sweep();
  // To those of `watches` that are at this stage.
  void give_all(std::span<const chat::SharedEvent> events, std::span<const WatchPtr> watches,
                WatchStage stage);
  // Each returns false if the watch has ended by it.
  bool give(Watch& watch, const chat::SharedEvent& event);
  bool heartbeat(Watch& watch);
  void end(Watch& watch, const base::Error& why);
  void leave(Watch& watch);  // nobody is there to be told

  // watch_replay.cc
  void check(const WatchPtr& watch);
  void send_checks();
  [[nodiscard]] static Checked check_session(const WatchPtr& watch, chat::Reader& reader,
                                             base::Position snapshot);
  void take_checked(const Checked& checked);
  void replay();
  void scan(std::vector<WatchPtr>::iterator first, base::Position floor);
  void read_page(Page page, base::Position floor);
  static void fill(Page& page, base::Position floor, std::size_t limit, chat::Reader& reader,
                   base::Position snapshot);
  void take_page(const Page& page);

  World& world_;
  const WatchLimits limits_;
  const std::shared_ptr<Places> living_;  // a watch gives its place back when it ends, whoever ends it

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  EventRing ring_;                             // guarded by mutex_
  std::vector<WatchPtr> arrived_;              // guarded by mutex_
  std::vector<std::vector<Checked>> checked_;  // guarded by mutex_
  std::vector<Page> pages_;                    // guarded by mutex_
  std::size_t watch_count_ = 0;                // that are kept, guarded by mutex_
  bool stopping_ = false;                      // guarded by mutex_

  // The hub thread alone.
  std::multimap<chat::AccountId, WatchPtr> watches_;
  std::vector<WatchPtr> waiting_;  // for this node to reach their start
  std::deque<WatchPtr> to_check_;
  std::size_t check_batches_ = 0;    // under way
  std::vector<WatchPtr> to_replay_;  // checked; the ring does not reach back to them
  bool is_scanning_ = false;         // a page of the scan is under way
  std::optional<base::Position> scan_at_;
  std::size_t replays_apart_ = 0;      // under way
  std::vector<WatchPtr> catching_up_;  // checked; the ring has what they miss
  std::vector<WatchPtr> stuck_;  // the readable state is older than the ring: asked again at the next beat
  base::Position delivered_;     // live watches have everything up to here
  AsOf as_of_;                   // from before that: its age is no younger than delivered_
  bool has_ended_ = false;       // some watch has, since the last sweep
  std::chrono::steady_clock::time_point next_heartbeat_;

  std::jthread thread_;
};

}  // namespace parley::node
