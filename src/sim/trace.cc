#include "sim/trace.h"

#include <functional>
#include <variant>

namespace parley::sim {

std::uint64_t hash_of(std::string_view bytes) {
  // FNV-1a: std::hash may differ between libraries, and seeds are kept for ever.
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return hash;
}

std::uint64_t hash_of(const raft::Entry& entry) {
  std::uint64_t hash = mix(entry.index.value(), entry.term.value());
  hash = mix(hash, static_cast<std::uint64_t>(entry.kind));
  return mix(hash, hash_of(entry.data.view()));
}

namespace {

struct BodyHash {
  std::uint64_t operator()(const raft::PreVoteRequest& m) const {
    return mix(m.next_term.value(), mix(m.last_index.value(), m.last_term.value()));
  }
  std::uint64_t operator()(const raft::PreVoteResponse& m) const {
    return mix(m.next_term.value(), m.granted ? 1 : 0);
  }
  std::uint64_t operator()(const raft::VoteRequest& m) const {
    return mix(m.last_index.value(), m.last_term.value());
  }
  std::uint64_t operator()(const raft::VoteResponse& m) const { return m.granted ? 1 : 0; }
  std::uint64_t operator()(const raft::AppendRequest& m) const {
    std::uint64_t hash = mix(m.prev_index.value(), mix(m.prev_term.value(), m.commit.value()));
    for (const raft::Entry& entry : m.entries) {
      hash = mix(hash, mix(entry.index.value(), entry.term.value()));
    }
    return hash;
  }
  std::uint64_t operator()(const raft::AppendResponse& m) const {
    return mix(mix(m.rejected ? 1 : 0, m.match_index.value()),
               mix(m.rejected_prev.value(), m.hint_index.value()));
  }
  std::uint64_t operator()(const raft::HeartbeatRequest& m) const { return mix(m.commit.value(), m.round); }
  std::uint64_t operator()(const raft::HeartbeatResponse& m) const { return m.round; }
  std::uint64_t operator()(const raft::ReadIndexRequest& m) const { return m.read_id; }
  std::uint64_t operator()(const raft::ReadIndexResponse& m) const {
    return mix(m.read_id, m.index ? m.index->value() + 1 : 0);
  }
  std::uint64_t operator()(const raft::TimeoutNow&) const { return 0; }
  std::uint64_t operator()(const raft::SnapshotOffer& m) const {
    return mix(m.point.index.value(), m.point.term.value());
  }
};

}  // namespace

std::uint64_t hash_of(const raft::Message& message) {
  std::uint64_t hash = mix(message.from.id.value(), message.to.id.value());
  hash = mix(hash, mix(message.term.value(), message.body.index()));
  return mix(hash, std::visit(BodyHash{}, message.body));
}

void Trace::note(Time now, std::string_view line) {
  record(now, hash_of(line), [&] { return line; });
}

void Trace::print(Time now, std::string_view line) {
  fmt::print("{:>5}.{:06} {}\n", now.count() / 1'000'000, now.count() % 1'000'000, line);
}

}  // namespace parley::sim
