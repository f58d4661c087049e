#include "node/stamped_entry.h"

#include <cstdint>
#include <string>

#include "base/little_endian.h"

namespace parley::node {

base::Payload make_stamped_entry(const chat::Stamp& stamp, std::string_view command) {
  std::string bytes;
  bytes.reserve(kStamp_bytes + command.size());
  base::append_le(bytes, static_cast<std::uint64_t>(stamp.cluster_time_ms));
  base::append_le(bytes, static_cast<std::uint64_t>(stamp.wall_unix_ms));
  bytes.append(command);
  return base::Payload(std::move(bytes));
}

std::optional<StampedCommand> read_stamped_entry(std::string_view entry) {
  if (entry.size() < kStamp_bytes) {
    return std::nullopt;
  }
  return StampedCommand{
      .stamp = {.cluster_time_ms = static_cast<std::int64_t>(base::read_le<std::uint64_t>(entry, 0)),
                .wall_unix_ms = static_cast<std::int64_t>(base::read_le<std::uint64_t>(entry, 8))},
      .command = entry.substr(kStamp_bytes)};
}

}  // namespace parley::node
