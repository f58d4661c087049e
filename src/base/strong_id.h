// StrongId: an integer that cannot be mixed up with another kind of integer.
// Owned by: nobody, a value. Any thread.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace parley::base {

// `Tag` only tells the types apart. 0 means "none" for every id in Parley.
template <class Tag, class Rep = std::uint64_t>
class StrongId {
 public:
  using rep = Rep;

  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}

  [[nodiscard]] constexpr Rep value() const { return value_; }
  [[nodiscard]] constexpr bool is_none() const { return value_ == 0; }
  [[nodiscard]] constexpr StrongId next() const { return StrongId(static_cast<Rep>(value_ + 1)); }

  constexpr auto operator<=>(const StrongId&) const = default;

 private:
  Rep value_ = 0;
};

}  // namespace parley::base

template <class Tag, class Rep>
struct std::hash<parley::base::StrongId<Tag, Rep>> {
  std::size_t operator()(const parley::base::StrongId<Tag, Rep>& id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
