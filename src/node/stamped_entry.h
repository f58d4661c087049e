// The payload of a command's log entry: the leader's stamp (two little-endian 64-bit numbers:
// cluster_time_ms, wall_unix_ms), then the command's bytes. Owned by: nobody. Any thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/payload.h"
#include "chat/types.h"

namespace parley::node {

inline constexpr std::size_t kStamp_bytes = 16;

struct StampedCommand {
  chat::Stamp stamp;
  std::string_view command;  // points into the entry's payload
};

[[nodiscard]] base::Payload make_stamped_entry(const chat::Stamp& stamp, std::string_view command);

// Nothing: shorter than a stamp, not an entry of ours.
[[nodiscard]] std::optional<StampedCommand> read_stamped_entry(std::string_view entry);

}  // namespace parley::node
