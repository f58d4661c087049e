// ByteReader: takes fields off the front of foreign bytes, checking every length. After the first field that
// is not there all are zero or empty, and failed() says so: a decoder checks once, not at every field. Owned
// by: whoever decodes. One thread. The bytes must outlive it.
#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>

#include "base/little_endian.h"

namespace parley::base {

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  [[nodiscard]] T take() {
    if (rest_.size() < sizeof(T)) {
      fail();
      return T{};
    }
    const T value = read_le<T>(rest_, 0);
    rest_.remove_prefix(sizeof(T));
    return value;
  }

  [[nodiscard]] std::string_view take_bytes(std::size_t size_bytes) {
    if (rest_.size() < size_bytes) {
      fail();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size_bytes);
    rest_.remove_prefix(size_bytes);
    return bytes;
  }

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::size_t left_bytes() const { return rest_.size(); }
  // Everything was there and nothing is left over.
  [[nodiscard]] bool is_done() const { return !failed_ && rest_.empty(); }

 private:
  void fail() {
    failed_ = true;
    rest_ = {};
  }

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace parley::base
