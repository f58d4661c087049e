// Private to chat: fields of our own bytes (details of results and events, page tokens, what digests are made
// of).
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/little_endian.h"

namespace parley::chat {

// Ids, as their number (32 bits) and then each (64 bits).
template <class Id>
void append_ids(std::string& out, const std::vector<Id>& ids) {
  base::append_le(out, static_cast<std::uint32_t>(ids.size()));
  for (const Id id : ids) {
    base::append_le(out, id.value());
  }
}

// After the first field that is not there, all are zero and failed() says so.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T take() {
    const std::string_view raw = take_bytes(sizeof(T));
    return raw.empty() ? T{} : base::read_le<T>(raw, 0);
  }
  std::string_view take_bytes(std::size_t size_bytes) {
    if (rest_.size() < size_bytes) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size_bytes);
    rest_.remove_prefix(size_bytes);
    return taken;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace parley::chat
