// SessionCache: which account a session belongs to. That never changes, so an entry is never wrong; whether
// the session still lives is decided at apply and in each read's snapshot (rule 4), never here. Private to
// service. Owned by: Service::State. Any thread.
#pragma once

#include <cstddef>
#include <cstring>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "chat/types.h"

namespace parley::service {

class SessionCache {
 public:
  explicit SessionCache(std::size_t max_sessions) : max_per_generation_(max_sessions / 2 + 1) {}

  [[nodiscard]] std::optional<chat::AccountId> find(const chat::SessionHash& session) {
    const std::scoped_lock lock(mutex_);
    if (const auto found = young_.find(session); found != young_.end()) {
      return found->second;
    }
    const auto found = old_.find(session);
    if (found == old_.end()) {
      return std::nullopt;
    }
    const auto account = found->second;
    insert(session, account);
    return account;
  }

  void add(const chat::SessionHash& session, chat::AccountId account) {
    const std::scoped_lock lock(mutex_);
    insert(session, account);
  }

 private:
  struct Hash {
    std::size_t operator()(const chat::SessionHash& session) const noexcept {
      std::size_t first = 0;  // it is a hash already
      std::memcpy(&first, session.bytes.data(), sizeof(first));
      return first;
    }
  };
  using Generation = std::unordered_map<chat::SessionHash, chat::AccountId, Hash>;

  // Two generations: what was not asked for while the young one filled up goes with the old one.
  void insert(const chat::SessionHash& session, chat::AccountId account) {
    if (young_.size() >= max_per_generation_) {
      old_ = std::exchange(young_, {});
    }
    young_.insert_or_assign(session, account);
  }

  const std::size_t max_per_generation_;
  std::mutex mutex_;
  Generation young_;
  Generation old_;
};

}  // namespace parley::service
