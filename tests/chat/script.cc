#include "tests/chat/script.h"

#include <algorithm>
#include <set>
#include <string>

namespace parley::chat::testing {
namespace {

constexpr std::uint64_t kUsers = 6;

}  // namespace

std::vector<MessageId> Script::some_ids() {
  std::set<std::uint64_t> ids;
  const std::uint64_t count = 1 + pick(6);
  const std::uint64_t newest = world_.position().value();
  while (ids.size() < count) {
    ids.insert(1 + pick(newest + 3));
  }
  std::vector<MessageId> out(ids.begin(), ids.end());
  std::ranges::shuffle(out, random_);
  return out;
}

void Script::change_accounts() {
  const std::uint64_t what = pick(10);
  if (what < 3 && users_.size() > 2) {
    const auto at = users_.begin() + static_cast<std::ptrdiff_t>(pick(users_.size()));
    (void)world_.erase_account(*at);
    users_.erase(at);
  } else if (what < 6 && users_.size() < kUsers) {
    // Names come back: another account each time.
    User user{.name = "user" + std::to_string(pick(kUsers)), .session = world_.new_session()};
    const auto result = world_.apply(CreateAccount{.request = world_.key(),
                                                   .name = user.name,
                                                   .password_hash = "h" + std::to_string(++made_),
                                                   .session = user.session});
    if (result.verdict == Verdict::done) {
      user.id = result.account;
      users_.push_back(user);
    }
  } else if (what == 6) {
    (void)world_.log_in(users_[pick(users_.size())]);
  } else if (what == 7) {
    User& user = users_[pick(users_.size())];
    const auto result = world_.apply(ChangePassword{.request = world_.key(),
                                                    .authority = user.authority(),
                                                    .checked = user.version,
                                                    .new_password_hash = "changed"});
    user.version = result.verdict == Verdict::done ? user.version.next() : user.version;
  } else {
    (void)world_.apply(Sweep{});
  }
}

void Script::step() {
  world_.stamp().cluster_time_ms += static_cast<std::int64_t>(pick(50));
  world_.stamp().wall_unix_ms += static_cast<std::int64_t>(pick(50));
  if (users_.size() < 2) {
    users_.push_back(world_.create("first" + std::to_string(++made_)));
    return;
  }
  const std::uint64_t what = pick(100);
  const User& user = users_[pick(users_.size())];
  if (what < 50) {
    (void)world_.try_send(user, users_[pick(users_.size())].name, "body " + std::to_string(++made_));
  } else if (what < 53) {
    (void)world_.try_send(user, "nobody");
  } else if (what < 68) {
    (void)world_.mark(user, some_ids());
  } else if (what < 83) {
    (void)world_.erase(user, some_ids());
  } else if (what < 90) {
    (void)world_.apply_again(2 + pick(world_.position().value() - 1));
  } else {
    change_accounts();
  }
}

}  // namespace parley::chat::testing
