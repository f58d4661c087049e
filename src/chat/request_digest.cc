#include "chat/request_digest.h"

#include <sodium.h>

#include <array>
#include <string>
#include <string_view>

#include "base/ensure.h"
#include "base/little_endian.h"
#include "chat/bytes.h"

namespace parley::chat {
namespace {

void put_text(std::string& form, std::string_view text) {
  base::append_le(form, static_cast<std::uint32_t>(text.size()));
  form.append(text);
}

struct CanonicalForm {
  std::string form;

  void kind(std::uint8_t number) { form.push_back(static_cast<char>(number)); }
  void operator()(const CreateAccount& c) {
    kind(1);
    put_text(form, c.name);
  }
  void operator()(const LogIn& c) {
    kind(2);
    base::append_le(form, c.account.value());
  }
  void operator()(const LogOut&) { kind(3); }
  void operator()(const ChangePassword&) { kind(4); }
  void operator()(const DeleteAccount&) { kind(5); }
  void operator()(const SendMessage& c) {
    kind(6);
    put_text(form, c.recipient);
    base::append_le(form, c.recipient_id.value());
    put_text(form, c.body);
  }
  void operator()(const MarkRead& c) {
    kind(7);
    append_ids(form, c.message_ids);
  }
  void operator()(const DeleteMessages& c) {
    kind(8);
    append_ids(form, c.message_ids);
  }
  void operator()(const Sweep&) {}
  void operator()(const Tick&) {}
  void operator()(const AnnounceNode&) {}
};

}  // namespace

std::uint64_t content_digest(const Command& command) {
  CanonicalForm canonical;
  std::visit(canonical, command);
  if (canonical.form.empty()) {
    return 0;
  }
  std::array<char, crypto_generichash_BYTES_MIN> digest{};
  const int failed = crypto_generichash(reinterpret_cast<unsigned char*>(digest.data()), digest.size(),
                                        reinterpret_cast<const unsigned char*>(canonical.form.data()),
                                        canonical.form.size(), nullptr, 0);
  base::ensure(failed == 0, "BLAKE2b takes any input");
  return base::read_le<std::uint64_t>({digest.data(), digest.size()}, 0);
}

}  // namespace parley::chat
