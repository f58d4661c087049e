// Configuration and Founding as bytes of an entry. Fixed little-endian layout, written down in
// docs/log-format.md. Owned by: nobody. Any thread.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "raft/types.h"

namespace parley::raft {

[[nodiscard]] std::string encode(const Configuration& configuration);
[[nodiscard]] std::string encode(const Founding& founding);

// Foreign bytes: every length is checked, nothing may be left over. The error says what was wrong.
[[nodiscard]] std::expected<Configuration, std::string> decode_configuration(std::string_view bytes);
[[nodiscard]] std::expected<Founding, std::string> decode_founding(std::string_view bytes);

// The configuration that an entry brings, if it is of a kind that brings one. An error: bytes of that kind
// that do not decode, or that make no configuration (validate() of membership.h).
[[nodiscard]] std::expected<std::optional<Configuration>, std::string> configuration_of(const Entry& entry);

}  // namespace parley::raft
