// The part of WatchHub that asks the state: whether a watch's session is there, and for what the ring no
// longer has.
#include <algorithm>
#include <iterator>
#include <utility>

#include "base/hex.h"
#include "node/replay_plan.h"
#include "node/watch_hub.h"
#include "node/watch_parts.h"

namespace parley::node {
namespace {

// While so many batches are under way, those who come meanwhile gather to the next.
constexpr std::size_t kCheckBatches = 2;
constexpr std::size_t kChecksTogether = 256;
constexpr std::size_t kReplaysApart = 2;

base::Error session_ended() {
  return base::refused(base::Code::unauthenticated, "SESSION_ENDED", "The session has ended.");
}

}  // namespace

void WatchHub::check(const WatchPtr& watch) {
  watch->stage = WatchStage::checking;
  to_check_.push_back(watch);
}

void WatchHub::send_checks() {
  while (!to_check_.empty() && check_batches_ < kCheckBatches) {
    const std::size_t count = std::min(to_check_.size(), kChecksTogether);
    const auto end = to_check_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<WatchPtr> batch(to_check_.begin(), end);
    to_check_.erase(to_check_.begin(), end);
    ++check_batches_;
    world_.read_applied(
        [this, batch = std::move(batch)](base::Result<chat::Reader*> reader, const AsOf& as_of) {
          std::vector<Checked> checked;
          checked.reserve(batch.size());
          for (const WatchPtr& watch : batch) {
            checked.push_back(reader ? check_session(watch, **reader, as_of.position)
                                     : Checked{.watch = watch, .error = reader.error()});
          }
          {
            const std::scoped_lock lock(mutex_);
            checked_.push_back(std::move(checked));
          }
          wake_.notify_one();
        });
  }
}

WatchHub::Checked WatchHub::check_session(const WatchPtr& watch, chat::Reader& reader,
                                          base::Position snapshot) {
  Checked checked{.watch = watch, .snapshot = snapshot};
  const auto session = reader.session(watch->start.session);
  const auto oldest = reader.oldest_replayable();
  if (!session) {
    checked.error = session.error();
  } else if (!oldest) {
    checked.error = oldest.error();
  } else if (!*session || (*session)->account != watch->start.account) {
    checked.error = session_ended();
  } else {
    checked.oldest = *oldest;
  }
  return checked;
}

void WatchHub::take_checked(const Checked& checked) {
  Watch& watch = *checked.watch;
  if (watch.stage != WatchStage::checking) {
    return;
  }
  if (watch.gone) {
    leave(watch);
    return;
  }
  // A failed commit has taken the state back: what ends its session up to the cursor may be missing there,
  // and is never told again.
  if (!checked.snapshot.is_none() && checked.snapshot < watch.cursor && !watch.is_foreign) {
    watch.stage = WatchStage::replaying;
    stuck_.push_back(checked.watch);
    if (!watch.has_begun) {
      heartbeat(watch);
    }
    return;
  }
  if (checked.error) {
    end(watch, *checked.error);
    return;
  }
  watch.checked_at = std::max(watch.checked_at, checked.snapshot);
  bool is_in_ring = false;
  {
    const std::scoped_lock lock(mutex_);
    is_in_ring = watch.cursor >= ring_.floor();
  }
  if (watch.is_foreign || (!is_in_ring && watch.cursor < checked.oldest)) {
    {
      const std::scoped_lock lock(watch.calls);
      if (!watch.is_closed && !watch.sink->on_resync(checked.oldest)) {
        watch.gone = true;
      }
    }
    watch.is_foreign = false;
    watch.cursor = std::max(watch.cursor, checked.snapshot);
    watch.has_begun = false;
    const std::scoped_lock lock(mutex_);
    is_in_ring = watch.cursor >= ring_.floor();
  }
  if (!watch.has_begun && !heartbeat(watch)) {
    return;
  }
  if (is_in_ring) {
    watch.stage = WatchStage::catching_up;
    catching_up_.push_back(checked.watch);
  } else {
    watch.stage = WatchStage::to_replay;
    to_replay_.push_back(checked.watch);
  }
}

// A scan goes from the farthest of its watches up to the ring, page by page, and takes along whoever waits at
// a place that it has not passed. Who comes with a place behind it waits for the next scan, so watches that
// go on coming never keep it from its end; or replays apart, where a scan would cost more.
void WatchHub::replay() {
  std::erase_if(to_replay_, [this](const WatchPtr& watch) {
    if (watch->stage == WatchStage::to_replay && watch->gone) {
      leave(*watch);
    }
    return watch->stage != WatchStage::to_replay;
  });
  if (to_replay_.empty()) {
    return;
  }
  base::Position floor;
  {
    const std::scoped_lock lock(mutex_);
    floor = ring_.floor();
  }
  std::ranges::sort(to_replay_, {}, [](const WatchPtr& watch) { return watch->cursor; });
  if (!is_scanning_ && scan_at_) {
    const auto ahead = std::ranges::lower_bound(to_replay_, *scan_at_, {},
                                                [](const WatchPtr& watch) { return watch->cursor; });
    if (ahead == to_replay_.end()) {
      scan_at_.reset();
    } else {
      scan(ahead, floor);
    }
  }
  std::vector<base::Position> cursors;
  std::ranges::transform(to_replay_, std::back_inserter(cursors),
                         [](const WatchPtr& watch) { return watch->cursor; });
  const auto first = static_cast<std::ptrdiff_t>(first_of_scan(cursors, floor, limits_.rows_apart));
  const auto far = to_replay_.begin() + first;
  if (!is_scanning_ && far != to_replay_.end()) {
    scan(far, floor);
  }
  auto next = to_replay_.begin();
  for (; next != to_replay_.begin() + first && replays_apart_ < kReplaysApart; ++next) {
    ++replays_apart_;
    read_page({.watches = {*next}, .from = (*next)->cursor}, floor);
  }
  to_replay_.erase(to_replay_.begin(), next);
}

void WatchHub::scan(std::vector<WatchPtr>::iterator first, base::Position floor) {
  is_scanning_ = true;
  Page page{.watches = {first, to_replay_.end()}, .is_scan = true, .from = (*first)->cursor};
  to_replay_.erase(first, to_replay_.end());
  read_page(std::move(page), floor);
}

void WatchHub::read_page(Page page, base::Position floor) {
  for (const WatchPtr& watch : page.watches) {
    watch->stage = WatchStage::replaying;
  }
  world_.read_applied(
      [this, page = std::move(page), floor](base::Result<chat::Reader*> reader, const AsOf& as_of) mutable {
        if (reader) {
          fill(page, floor, limits_.replay_page, **reader, as_of.position);
        } else {
          page.error = reader.error();
        }
        {
          const std::scoped_lock lock(mutex_);
          pages_.push_back(std::move(page));
        }
        wake_.notify_one();
      });
}

void WatchHub::fill(Page& page, base::Position floor, std::size_t limit, chat::Reader& reader,
                    base::Position snapshot) {
  if (page.is_scan) {
    auto replay = reader.events_between(page.from, floor, limit);
    if (!replay) {
      page.error = replay.error();
    } else if (!*replay) {
      page.is_too_old = true;
    } else {
      page.events = std::move((*replay)->events);
      page.through = (*replay)->through;
    }
    return;
  }
  auto events = reader.events_after(page.watches.front()->start.account, page.from, limit);
  if (!events) {
    page.error = events.error();
  } else if (!*events) {
    page.is_too_old = true;
  } else {
    page.events = std::move(**events);
    page.through = page.events.size() < limit ? std::max(page.from, snapshot) : page.events.back()->position;
  }
}

void WatchHub::take_page(const Page& page) {
  if (page.is_scan) {
    is_scanning_ = false;
    scan_at_ = page.through;
  } else {
    --replays_apart_;
  }
  give_all(page.events, page.watches, WatchStage::replaying);
  base::Position floor;
  {
    const std::scoped_lock lock(mutex_);
    floor = ring_.floor();
  }
  for (const WatchPtr& watch : page.watches) {
    if (watch->stage != WatchStage::replaying) {
      continue;
    }
    if (page.error) {
      end(*watch, *page.error);
      continue;
    }
    if (!page.is_too_old) {
      watch->cursor = std::max(watch->cursor, page.through);
    }
    if (page.is_too_old || watch->cursor >= floor) {
      // The end of its session may lie in what was replayed.
      check(watch);
    } else if (page.through > page.from) {
      watch->stage = WatchStage::to_replay;
      to_replay_.push_back(watch);
    } else {
      stuck_.push_back(watch);
    }
  }
}

void WatchHub::leave(Watch& watch) {
  watch.stage = WatchStage::ended;
  has_ended_ = true;
}

}  // namespace parley::node
