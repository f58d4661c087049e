// Private to chat: a map that forgets. Two generations: when the young one is full the old one goes, so at
// most 2 × `limit` entries stay and what is used stays. Only ever a copy of rows: cleared after a rollback.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>

namespace parley::chat {

template <class Key, class Value, class Hash = std::hash<Key>>
class BoundedCache {
 public:
  explicit BoundedCache(std::size_t limit) : limit_(limit) {}

  // Good until the next call that is not const.
  [[nodiscard]] const Value* find(const Key& key) {
    if (const auto at = young_.find(key); at != young_.end()) {
      return &at->second;
    }
    const auto at = old_.find(key);
    if (at == old_.end()) {
      return nullptr;
    }
    Value value = std::move(at->second);
    old_.erase(at);
    return &put(key, std::move(value));
  }
  const Value& put(const Key& key, Value value) {
    if (young_.size() >= limit_) {
      old_ = std::move(young_);
      young_ = {};
    }
    old_.erase(key);
    return young_.insert_or_assign(key, std::move(value)).first->second;
  }
  void erase(const Key& key) {
    young_.erase(key);
    old_.erase(key);
  }
  void clear() {
    young_.clear();
    old_.clear();
  }

 private:
  std::size_t limit_;
  std::unordered_map<Key, Value, Hash> young_;
  std::unordered_map<Key, Value, Hash> old_;
};

}  // namespace parley::chat
