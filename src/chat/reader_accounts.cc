#include <algorithm>

#include "base/limits.h"
#include "base/little_endian.h"
#include "chat/reader_state.h"
#include "chat/validate.h"

namespace parley::chat {
namespace {

constexpr std::size_t kNamesAtOnce = 500;

}  // namespace

base::Result<Page<Account>> Reader::accounts(AccountId caller, std::string_view glob,
                                             const PageRequest& page) {
  return state_->query([&]() -> base::Result<Page<Account>> {
    const auto pattern = check_glob(glob);
    if (!pattern) {
      return std::unexpected(pattern.error());
    }
    const auto page_size = check_page_size(page.page_size);
    if (!page_size) {
      return std::unexpected(page_size.error());
    }
    std::string query = "accounts";
    base::append_le(query, caller.value());
    query += glob;
    const PageScope scope = state_->scope(std::move(query));
    std::string after;
    if (!page.page_token.empty()) {
      auto cursor = open_page_token(scope, page.page_token);
      if (!cursor) {
        return std::unexpected(bad_page_token());
      }
      after = *std::move(cursor);
    }

    Page<Account> found;
    const auto full_at = static_cast<std::size_t>(*page_size);
    std::size_t looked_at = 0;
    while (true) {
      const auto rows = state_->store.accounts.names_from(pattern->prefix(), after, kNamesAtOnce);
      for (const AccountRow& row : rows) {
        if (!row.name.starts_with(pattern->prefix())) {
          return found;
        }
        if (found.items.size() == full_at || looked_at == base::kMaxGlobNamesLookedAt) {
          found.next_page_token = make_page_token(scope, after);
          return found;
        }
        ++looked_at;
        after = row.name;
        if (pattern->matches(row.name)) {
          found.items.push_back(
              {.id = row.id, .name = row.name, .created_at_unix_ms = row.created_at_unix_ms});
        }
      }
      if (rows.size() < kNamesAtOnce) {
        return found;
      }
    }
  });
}

}  // namespace parley::chat
