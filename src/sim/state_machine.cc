#include "sim/state_machine.h"

#include "base/ensure.h"
#include "base/little_endian.h"
#include "sim/trace.h"

namespace parley::sim {

std::string encode(const Request& request) {
  std::string bytes;
  base::append_le(bytes, request.request_id);
  base::append_le(bytes, request.value);
  bytes.append(request.padding_bytes, '.');
  return bytes;
}

Request decode_request(std::string_view bytes) {
  constexpr std::size_t kFixedBytes = 16;
  base::ensure(bytes.size() >= kFixedBytes, "a command is a request");
  return Request{base::read_le<std::uint64_t>(bytes, 0), base::read_le<std::uint64_t>(bytes, 8),
                 bytes.size() - kFixedBytes};
}

const Applied& StateMachine::apply(const raft::Entry& entry, bool differently) {
  Applied step;
  step.state_hash = mix(hash(), hash_of(entry));
  if (entry.kind == raft::EntryKind::command) {
    step.request = decode_request(entry.data.view());
    const auto [result, is_new] = results_.try_emplace(step.request->request_id, entry.index);
    step.took_effect = is_new;
    step.effect_at = result->second;
    step.state_hash = mix(step.state_hash, is_new ? step.request->value : 0);
  }
  if (differently) {
    step.state_hash = mix(step.state_hash, 1);
  }
  history_.push_back(step);
  return history_.back();
}

void StateMachine::roll_back(raft::Index index) {
  while (history_.size() > index.value()) {
    const Applied& step = history_.back();
    if (step.took_effect) {
      results_.erase(step.request->request_id);
    }
    history_.pop_back();
  }
}

}  // namespace parley::sim
