// Token: 256 random bits and an 8-byte tag under a key from the replicated state, so that garbage is refused
// without asking anyone (design.md, Sessions). Text form: base64url without padding. Owned by: nobody. Any
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "chat/types.h"

namespace parley::chat {

struct TokenKey {
  std::array<std::uint8_t, 32> bytes{};
};

[[nodiscard]] TokenKey derive_token_key(std::string_view state_seed);

struct NewToken {
  std::string text;  // given to the client once, never stored
  SessionHash hash;
};
// `random`: 32 bytes from the OS.
[[nodiscard]] NewToken make_token(const TokenKey& key, const std::array<std::uint8_t, 32>& random);

// Nothing: garbage, not a token of this cluster. Compares the tag in constant time.
[[nodiscard]] std::optional<SessionHash> check_token(const TokenKey& key, std::string_view text);

}  // namespace parley::chat
