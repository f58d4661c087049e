#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include "wal/file_system.h"
#include "wal/log.h"

namespace parley::wal {

std::string DiskError::describe() const {
  return fmt::format("{} {}: {}", operation, path, std::generic_category().message(errno_value));
}

bool DiskError::may_pass() const {
  return errno_value == ENOSPC || errno_value == EDQUOT || errno_value == ENOMEM || is_out_of_descriptors();
}

bool DiskError::is_out_of_descriptors() const { return errno_value == EMFILE || errno_value == ENFILE; }

std::string Damage::describe() const {
  const std::string place =
      near_index ? fmt::format("after entry {}", near_index->value()) : std::string("before the first entry");
  return fmt::format("the log is damaged: {}, byte {} ({}): {}", file, offset_bytes, place, what);
}

std::string NewerFormat::describe() const {
  return fmt::format("{} has format {} of the log, which is newer than this program: start a newer parleyd",
                     file, version);
}

std::string OpenError::describe() const {
  if (damage) return damage->describe();
  if (newer) return newer->describe();
  return disk ? disk->describe() : std::string("no error");
}

}  // namespace parley::wal
