#include "chat/page_token.h"

#include <sodium.h>

#include "base/ensure.h"
#include "base/little_endian.h"

namespace parley::chat {
namespace {

constexpr std::size_t kTagBytes = 8;
constexpr std::size_t kMaxTokenChars = 512;
constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

std::string tag_of(const PageScope& scope, std::string_view cursor) {
  std::string form(reinterpret_cast<const char*>(scope.cluster_id.bytes.data()),
                   scope.cluster_id.bytes.size());
  base::append_le(form, static_cast<std::uint32_t>(scope.query.size()));
  form += scope.query;
  form += cursor;
  std::string tag(crypto_generichash_BYTES_MIN, '\0');
  const int failed = crypto_generichash(reinterpret_cast<unsigned char*>(tag.data()), tag.size(),
                                        reinterpret_cast<const unsigned char*>(form.data()), form.size(),
                                        scope.key.bytes.data(), scope.key.bytes.size());
  base::ensure(failed == 0, "BLAKE2b takes a key of 32 bytes");
  tag.resize(kTagBytes);
  return tag;
}

}  // namespace

std::string make_page_token(const PageScope& scope, std::string_view cursor) {
  const std::string bytes = tag_of(scope, cursor) + std::string(cursor);
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), kVariant);
  text.pop_back();  // the NUL
  return text;
}

std::optional<std::string> open_page_token(const PageScope& scope, std::string_view token) {
  if (token.size() > kMaxTokenChars) {
    return std::nullopt;
  }
  std::string bytes(token.size(), '\0');
  std::size_t size_bytes = 0;
  const char* end = nullptr;
  const int failed = sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                       token.data(), token.size(), nullptr, &size_bytes, &end, kVariant);
  if (failed != 0 || size_bytes < kTagBytes || end != token.data() + token.size()) {
    return std::nullopt;
  }
  bytes.resize(size_bytes);
  std::string cursor = bytes.substr(kTagBytes);
  const std::string tag = tag_of(scope, cursor);
  if (sodium_memcmp(tag.data(), bytes.data(), kTagBytes) != 0) {
    return std::nullopt;
  }
  return cursor;
}

}  // namespace parley::chat
