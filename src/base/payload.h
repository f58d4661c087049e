// Payload: immutable bytes that are shared, not copied. One entry's bytes go to the disk, to each
// peer and to apply without a copy.
// Owned by: nobody, a value. Any thread (the bytes never change once made).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace parley::base {

class Payload {
 public:
  Payload() = default;
  explicit Payload(std::string bytes)
      : bytes_(bytes.empty() ? nullptr : std::make_shared<const std::string>(std::move(bytes))) {}

  [[nodiscard]] std::string_view view() const {
    return bytes_ ? std::string_view(*bytes_) : std::string_view();
  }
  [[nodiscard]] std::size_t size_bytes() const { return bytes_ ? bytes_->size() : 0; }
  [[nodiscard]] bool empty() const { return !bytes_; }

  // By content: two payloads with the same bytes are the same value.
  bool operator==(const Payload& other) const { return bytes_ == other.bytes_ || view() == other.view(); }

 private:
  std::shared_ptr<const std::string> bytes_;
};

}  // namespace parley::base
