#include "raft/progress.h"

#include <algorithm>

#include "raft/index_math.h"

namespace parley::raft {

void InflightWindow::add(Index last, std::size_t size_bytes) {
  appends_.push_back({.last = last, .size_bytes = size_bytes});
  size_bytes_ += size_bytes;
}

void InflightWindow::free_up_to(Index match) {
  while (!appends_.empty() && appends_.front().last <= match) {
    size_bytes_ -= appends_.front().size_bytes;
    appends_.pop_front();
  }
}

void InflightWindow::clear() {
  appends_.clear();
  size_bytes_ = 0;
}

bool InflightWindow::is_full(const FlowConfig& flow) const {
  return appends_.size() >= flow.max_inflight_appends || size_bytes_ >= flow.max_inflight_bytes;
}

bool Progress::may_send(const FlowConfig& flow) const {
  switch (state) {
    case ProgressState::probe:
      return !probe_sent;
    case ProgressState::replicate:
      return !window.is_full(flow);
    case ProgressState::snapshot:
      break;
  }
  return false;
}

void Progress::sent(Index last, std::size_t size_bytes) {
  if (state == ProgressState::replicate) {
    window.add(last, size_bytes);
    next = last.next();
  } else {
    probe_sent = true;
  }
}

bool Progress::acknowledge(Index index) {
  const bool news = index > match;
  match = std::max(match, index);
  next = std::max(next, match.next());
  window.free_up_to(match);
  if (news) unanswered = false;
  return news;
}

bool Progress::reject(Index rejected_prev, Index next_try) {
  if (rejected_prev <= match) return false;
  sent_commit = std::min(sent_commit, match);  // a rejected append told of nothing
  if (state == ProgressState::replicate) {
    become_probe(match.next());
    return true;
  }
  if (rejected_prev != before(next)) return false;
  next = std::max(std::min(rejected_prev, next_try), match.next());
  probe_sent = false;
  return true;
}

void Progress::heartbeat_leaves() { unanswered = state == ProgressState::replicate && match.next() < next; }

void Progress::recover() {
  switch (state) {
    case ProgressState::probe:
      probe_sent = false;
      break;
    case ProgressState::replicate:
      if (unanswered) wants_empty_append = true;
      break;
    case ProgressState::snapshot:
      offered = false;
      break;
  }
}

void Progress::become_replicate() {
  state = ProgressState::replicate;
  next = match.next();
  probe_sent = false;
  offered = false;
  unanswered = false;
  window.clear();
}

void Progress::become_probe(Index from) {
  state = ProgressState::probe;
  next = std::max(from, match.next());
  probe_sent = false;
  offered = false;
  unanswered = false;
  wants_empty_append = false;
  window.clear();
}

void Progress::become_snapshot() {
  state = ProgressState::snapshot;
  probe_sent = false;
  offered = false;
  unanswered = false;
  wants_empty_append = false;
  window.clear();
}

}  // namespace parley::raft
