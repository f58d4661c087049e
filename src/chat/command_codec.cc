#include <google/protobuf/arena.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "base/ensure.h"
#include "base/limits.h"
#include "chat/command.h"
#include "chat/names.h"
#include "chat/validate.h"
#include "parley/internal/v1/command.pb.h"

namespace parley::chat {
namespace {

namespace pb = ::parley::internal::v1;

constexpr std::size_t kMaxPasswordHashBytes = 256;
constexpr std::size_t kMaxAddressBytes = 512;
constexpr std::size_t kArenaBytes = 2048;  // holds a command but for its texts

template <class Bytes>
std::string to_text(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void put(pb::RequestKey& out, const RequestKey& key) {
  out.set_id(to_text(key.id.bytes));
  out.set_content_digest(key.content_digest);
}

void put(pb::Authority& out, const Authority& authority) {
  out.set_account(authority.account.value());
  out.set_session(to_text(authority.session.bytes));
}

template <class Out>
void put_message_ids(Out& out, const std::vector<MessageId>& ids) {
  out.mutable_message_ids()->Reserve(static_cast<int>(ids.size()));
  for (const MessageId id : ids) {
    out.add_message_ids(id.value());
  }
}

struct Encoder {
  pb::Command& out;

  void operator()(const CreateAccount& c) {
    auto& to = *out.mutable_create_account();
    put(*to.mutable_request(), c.request);
    to.set_name(c.name);
    to.set_password_hash(c.password_hash);
    to.set_session(to_text(c.session.bytes));
  }
  void operator()(const LogIn& c) {
    auto& to = *out.mutable_log_in();
    put(*to.mutable_request(), c.request);
    to.set_account(c.account.value());
    to.set_checked(c.checked.value());
    to.set_session(to_text(c.session.bytes));
  }
  void operator()(const LogOut& c) {
    auto& to = *out.mutable_log_out();
    put(*to.mutable_request(), c.request);
    put(*to.mutable_authority(), c.authority);
  }
  void operator()(const ChangePassword& c) {
    auto& to = *out.mutable_change_password();
    put(*to.mutable_request(), c.request);
    put(*to.mutable_authority(), c.authority);
    to.set_checked(c.checked.value());
    to.set_new_password_hash(c.new_password_hash);
  }
  void operator()(const DeleteAccount& c) {
    auto& to = *out.mutable_delete_account();
    put(*to.mutable_request(), c.request);
    put(*to.mutable_authority(), c.authority);
    to.set_checked(c.checked.value());
  }
  void operator()(const SendMessage& c) {
    auto& to = *out.mutable_send_message();
    put(*to.mutable_request(), c.request);
    put(*to.mutable_authority(), c.authority);
    to.set_recipient(c.recipient);
    to.set_recipient_id(c.recipient_id.value());
    to.set_body(c.body);
  }
  void operator()(const MarkRead& c) {
    auto& to = *out.mutable_mark_read();
    put(*to.mutable_request(), c.request);
    put(*to.mutable_authority(), c.authority);
    put_message_ids(to, c.message_ids);
  }
  void operator()(const DeleteMessages& c) {
    auto& to = *out.mutable_delete_messages();
    put(*to.mutable_request(), c.request);
    put(*to.mutable_authority(), c.authority);
    put_message_ids(to, c.message_ids);
  }
  void operator()(const Sweep&) { out.mutable_sweep(); }
  void operator()(const Tick&) { out.mutable_tick(); }
  void operator()(const AnnounceNode& c) {
    auto& to = *out.mutable_announce_node();
    to.set_node(c.node.value());
    to.set_incarnation(c.incarnation.value());
    to.set_peer_address(c.peer_address);
    to.set_client_address(c.client_address);
    to.set_http_address(c.http_address);
  }
};

// Takes the parts of a decoded message; the first one that is wrong is remembered.
class Decoder {
 public:
  template <class Array>
  void take(Array& to, const std::string& from, const char* what) {
    if (from.size() != to.size()) {
      fail(std::string(what) + " has " + std::to_string(from.size()) + " bytes");
      return;
    }
    std::memcpy(to.data(), from.data(), to.size());
  }
  RequestKey request(const pb::RequestKey& from) {
    known(from);
    RequestKey key;
    take(key.id.bytes, from.id(), "a request id");
    key.content_digest = from.content_digest();
    return key;
  }
  Authority authority(const pb::Authority& from) {
    known(from);
    Authority authority;
    authority.account = AccountId(from.account());
    authority.session = session(from.session());
    return authority;
  }
  SessionHash session(const std::string& from) {
    SessionHash hash;
    take(hash.bytes, from, "a session hash");
    return hash;
  }
  template <class From>
  std::vector<MessageId> ids(const From& from) {
    std::vector<MessageId> ids;
    ids.reserve(static_cast<std::size_t>(from.message_ids_size()));
    for (const std::uint64_t id : from.message_ids()) {
      ids.emplace_back(id);
    }
    return ids;
  }
  // A field of a newer format: its meaning is not ours to leave out.
  template <class From>
  void known(const From& from) {
    if (!from.GetReflection()->GetUnknownFields(from).empty()) {
      fail("a field that this version does not know");
    }
  }
  void fail(std::string why) {
    if (error_.empty()) {
      error_ = std::move(why);
    }
  }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  std::string error_;
};

Command take(Decoder& d, const pb::CreateAccount& c) {
  return CreateAccount{.request = d.request(c.request()),
                       .name = c.name(),
                       .password_hash = c.password_hash(),
                       .session = d.session(c.session())};
}
Command take(Decoder& d, const pb::LogIn& c) {
  return LogIn{.request = d.request(c.request()),
               .account = AccountId(c.account()),
               .checked = PasswordVersion(c.checked()),
               .session = d.session(c.session())};
}
Command take(Decoder& d, const pb::LogOut& c) {
  return LogOut{.request = d.request(c.request()), .authority = d.authority(c.authority())};
}
Command take(Decoder& d, const pb::ChangePassword& c) {
  return ChangePassword{.request = d.request(c.request()),
                        .authority = d.authority(c.authority()),
                        .checked = PasswordVersion(c.checked()),
                        .new_password_hash = c.new_password_hash()};
}
Command take(Decoder& d, const pb::DeleteAccount& c) {
  return DeleteAccount{.request = d.request(c.request()),
                       .authority = d.authority(c.authority()),
                       .checked = PasswordVersion(c.checked())};
}
Command take(Decoder& d, const pb::SendMessage& c) {
  return SendMessage{.request = d.request(c.request()),
                     .authority = d.authority(c.authority()),
                     .recipient = c.recipient(),
                     .recipient_id = AccountId(c.recipient_id()),
                     .body = c.body()};
}
Command take(Decoder& d, const pb::MarkRead& c) {
  return MarkRead{
      .request = d.request(c.request()), .authority = d.authority(c.authority()), .message_ids = d.ids(c)};
}
Command take(Decoder& d, const pb::DeleteMessages& c) {
  return DeleteMessages{
      .request = d.request(c.request()), .authority = d.authority(c.authority()), .message_ids = d.ids(c)};
}
Command take(Decoder&, const pb::Sweep&) { return Sweep{}; }
Command take(Decoder&, const pb::Tick&) { return Tick{}; }
Command take(Decoder&, const pb::AnnounceNode& c) {
  return AnnounceNode{.node = base::NodeId(c.node()),
                      .incarnation = base::Incarnation(c.incarnation()),
                      .peer_address = c.peer_address(),
                      .client_address = c.client_address(),
                      .http_address = c.http_address()};
}

template <class From>
Command take_known(Decoder& d, const From& from) {
  d.known(from);
  return take(d, from);
}

Command take_any(Decoder& d, const pb::Command& from) {
  d.known(from);
  switch (from.command_case()) {
    case pb::Command::kCreateAccount:
      return take_known(d, from.create_account());
    case pb::Command::kLogIn:
      return take_known(d, from.log_in());
    case pb::Command::kLogOut:
      return take_known(d, from.log_out());
    case pb::Command::kChangePassword:
      return take_known(d, from.change_password());
    case pb::Command::kDeleteAccount:
      return take_known(d, from.delete_account());
    case pb::Command::kSendMessage:
      return take_known(d, from.send_message());
    case pb::Command::kMarkRead:
      return take_known(d, from.mark_read());
    case pb::Command::kDeleteMessages:
      return take_known(d, from.delete_messages());
    case pb::Command::kSweep:
      return take_known(d, from.sweep());
    case pb::Command::kTick:
      return take_known(d, from.tick());
    case pb::Command::kAnnounceNode:
      return take_known(d, from.announce_node());
    case pb::Command::COMMAND_NOT_SET:
      d.fail("no command that this version knows");
  }
  return Tick{};
}

using Form = std::expected<void, std::string>;

// An id is a position, and SQLite's integers are signed.
bool is_id(std::uint64_t value) {
  return value > 0 && value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
}

Form check(const RequestKey& key) {
  return key.id.is_none() ? Form(std::unexpected("no request id")) : Form();
}

Form check(const RequestKey& key, const Authority& authority) {
  if (!is_id(authority.account.value()) || authority.session.is_none()) {
    return std::unexpected("an authority without account or session");
  }
  return check(key);
}

Form both(Form first, Form second) { return first ? std::move(second) : std::move(first); }

Form check_hash(const std::string& hash) {
  if (hash.empty() || hash.size() > kMaxPasswordHashBytes) {
    return std::unexpected("a password hash of " + std::to_string(hash.size()) + " bytes");
  }
  return {};
}

Form check_ids(const std::vector<MessageId>& ids) {
  if (ids.empty() || ids.size() > base::kMaxIdsPerRequest) {
    return std::unexpected("a set of " + std::to_string(ids.size()) + " ids");
  }
  for (const MessageId id : ids) {
    if (!is_id(id.value())) {
      return std::unexpected("a message id that is none");
    }
  }
  std::vector<MessageId> sorted = ids;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end()) {
    return std::unexpected("a message id twice");
  }
  return {};
}

struct FormCheck {
  Form operator()(const CreateAccount& c) const {
    if (!is_name(c.name) || c.session.is_none()) {
      return std::unexpected("an account without name or session");
    }
    return both(check_hash(c.password_hash), check(c.request));
  }
  Form operator()(const LogIn& c) const {
    if (!is_id(c.account.value()) || !is_id(c.checked.value()) || c.session.is_none()) {
      return std::unexpected("a log-in without account, password version or session");
    }
    return check(c.request);
  }
  Form operator()(const LogOut& c) const { return check(c.request, c.authority); }
  Form operator()(const ChangePassword& c) const {
    if (!is_id(c.checked.value())) {
      return std::unexpected("no password version");
    }
    return both(check_hash(c.new_password_hash), check(c.request, c.authority));
  }
  Form operator()(const DeleteAccount& c) const {
    if (!is_id(c.checked.value())) {
      return std::unexpected("no password version");
    }
    return check(c.request, c.authority);
  }
  Form operator()(const SendMessage& c) const {
    if (!is_name(c.recipient) || (!c.recipient_id.is_none() && !is_id(c.recipient_id.value()))) {
      return std::unexpected("no recipient");
    }
    if (c.body.empty() || c.body.size() > base::kMaxBodyBytes || !is_utf8(c.body)) {
      return std::unexpected("a body of " + std::to_string(c.body.size()) + " bytes, or no UTF-8");
    }
    return check(c.request, c.authority);
  }
  Form operator()(const MarkRead& c) const {
    return both(check_ids(c.message_ids), check(c.request, c.authority));
  }
  Form operator()(const DeleteMessages& c) const {
    return both(check_ids(c.message_ids), check(c.request, c.authority));
  }
  Form operator()(const Sweep&) const { return {}; }
  Form operator()(const Tick&) const { return {}; }
  Form operator()(const AnnounceNode& c) const {
    const std::size_t longest =
        std::max({c.peer_address.size(), c.client_address.size(), c.http_address.size()});
    if (c.node.is_none() || c.incarnation.is_none() || longest > kMaxAddressBytes) {
      return std::unexpected("a node without id or incarnation, or a long address");
    }
    return {};
  }
};

}  // namespace

std::expected<void, std::string> well_formed(const Command& command) {
  return std::visit(FormCheck{}, command);
}

std::string encode(const Command& command) {
  const auto form = well_formed(command);
  base::ensure(form.has_value(), form ? "" : form.error());
  pb::Command out;
  std::visit(Encoder{out}, command);
  return out.SerializeAsString();
}

std::expected<Command, std::string> decode_command(std::string_view bytes) {
  std::array<char, kArenaBytes> first_block{};
  google::protobuf::ArenaOptions options;
  options.initial_block = first_block.data();
  options.initial_block_size = first_block.size();
  google::protobuf::Arena arena(options);
  auto& from = *google::protobuf::Arena::CreateMessage<pb::Command>(&arena);
  if (bytes.size() > base::kMaxRequestBytes ||
      !from.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return std::unexpected("not a command of this version");
  }
  Decoder decoder;
  Command command = take_any(decoder, from);
  if (!decoder.error().empty()) {
    return std::unexpected(decoder.error());
  }
  if (const auto form = well_formed(command); !form) {
    return std::unexpected(form.error());
  }
  return command;
}

const RequestKey* request_key(const Command& command) {
  return std::visit(
      [](const auto& c) -> const RequestKey* {
        if constexpr (requires { c.request; }) {
          return &c.request;
        } else {
          return nullptr;
        }
      },
      command);
}

const Authority* authority(const Command& command) {
  return std::visit(
      [](const auto& c) -> const Authority* {
        if constexpr (requires { c.authority; }) {
          return &c.authority;
        } else {
          return nullptr;
        }
      },
      command);
}

}  // namespace parley::chat
