#include "chat/token.h"

#include <sodium.h>

#include <algorithm>
#include <cstddef>

#include "base/ensure.h"

namespace parley::chat {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kTagBytes = 8;
constexpr std::size_t kTokenBytes = kSecretBytes + kTagBytes;
constexpr std::string_view kKeyPurpose = "parley token key 1";

using TokenBytes = std::array<std::uint8_t, kTokenBytes>;

// BLAKE2b keyed with the token key, shortened: 64 bits are enough to refuse garbage, and a forged tag only
// gets as far as the session table, which does not know the secret.
std::array<std::uint8_t, kTagBytes> tag_of(const TokenKey& key, const std::uint8_t* secret) {
  std::array<std::uint8_t, crypto_generichash_BYTES_MIN> full{};
  const int failed =
      crypto_generichash(full.data(), full.size(), secret, kSecretBytes, key.bytes.data(), key.bytes.size());
  base::ensure(failed == 0, "BLAKE2b takes a key of 32 bytes");
  std::array<std::uint8_t, kTagBytes> tag{};
  std::copy_n(full.begin(), tag.size(), tag.begin());
  return tag;
}

SessionHash hash_of(const std::uint8_t* secret) {
  SessionHash hash;
  static_assert(sizeof(hash.bytes) == crypto_hash_sha256_BYTES);
  crypto_hash_sha256(hash.bytes.data(), secret, kSecretBytes);
  return hash;
}

}  // namespace

TokenKey derive_token_key(std::string_view state_seed) {
  TokenKey key;
  crypto_generichash_state state;
  const auto* seed = reinterpret_cast<const unsigned char*>(state_seed.data());
  const auto* purpose = reinterpret_cast<const unsigned char*>(kKeyPurpose.data());
  const bool done = crypto_generichash_init(&state, nullptr, 0, key.bytes.size()) == 0 &&
                    crypto_generichash_update(&state, purpose, kKeyPurpose.size()) == 0 &&
                    crypto_generichash_update(&state, seed, state_seed.size()) == 0 &&
                    crypto_generichash_final(&state, key.bytes.data(), key.bytes.size()) == 0;
  base::ensure(done, "BLAKE2b takes any input");
  return key;
}

NewToken make_token(const TokenKey& key, const std::array<std::uint8_t, 32>& random) {
  TokenBytes bytes{};
  std::copy(random.begin(), random.end(), bytes.begin());
  const auto tag = tag_of(key, random.data());
  std::copy(tag.begin(), tag.end(), bytes.begin() + kSecretBytes);
  NewToken token;
  token.hash = hash_of(random.data());
  std::array<char, sodium_base64_ENCODED_LEN(kTokenBytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING)> text{};
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(),
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  token.text = text.data();
  return token;
}

std::optional<SessionHash> check_token(const TokenKey& key, std::string_view text) {
  TokenBytes bytes{};
  std::size_t size_bytes = 0;
  const char* end = nullptr;
  const int failed = sodium_base642bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr,
                                       &size_bytes, &end, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  if (failed != 0 || size_bytes != bytes.size() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  const auto tag = tag_of(key, bytes.data());
  if (sodium_memcmp(tag.data(), bytes.data() + kSecretBytes, tag.size()) != 0) {
    return std::nullopt;
  }
  return hash_of(bytes.data());
}

}  // namespace parley::chat
