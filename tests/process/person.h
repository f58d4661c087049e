// Person: an account and its session, as the cases speak of them.
// Owned by: a case. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "parley/v1/api.pb.h"
#include "tests/process/api_under_test.h"

namespace parley::testing {

// The nodes may be others at each call: whoever runs the cases sets `api` between two steps.
struct World {
  ApiUnderTest* api = nullptr;
};

struct Page {
  std::string peer;  // empty: the inbox
  bool unread_only = false;
  bool newest_first = false;
  std::int32_t size = 0;
  std::string token;
};

class Person {
 public:
  Person(const World& world, std::string name) : world_(&world), name_(std::move(name)) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& password() const { return password_; }
  [[nodiscard]] const std::string& token() const { return token_; }
  [[nodiscard]] std::uint64_t id() const { return id_; }
  void set_password(std::string password) { password_ = std::move(password); }

  // Each keeps what the answer says of the session.
  base::Result<v1::CreateAccountResponse> sign_up();
  base::Result<v1::LogInResponse> log_in();
  base::Result<v1::LogOutResponse> log_out();
  base::Result<v1::ChangePasswordResponse> change_password(const std::string& new_password);
  base::Result<v1::DeleteAccountResponse> delete_account();

  [[nodiscard]] base::Result<v1::Account> look_up(const std::string& name);
  [[nodiscard]] base::Result<std::vector<std::string>> accounts(const std::string& pattern,
                                                                std::int32_t page_size = 0);

  base::Result<v1::Message> send(const std::string& to, const std::string& body, std::uint64_t to_id = 0);
  [[nodiscard]] base::Result<v1::ListMessagesResponse> list(const Page& page);
  // All pages: the bodies.
  [[nodiscard]] base::Result<std::vector<std::string>> bodies(Page page);
  [[nodiscard]] base::Result<v1::ListConversationsResponse> conversations();
  [[nodiscard]] base::Result<v1::GetUnreadCountsResponse> unread();
  base::Result<v1::MarkReadResponse> mark_read(const std::vector<std::uint64_t>& ids);
  base::Result<v1::DeleteMessagesResponse> remove(const std::vector<std::uint64_t>& ids);

 private:
  template <class Response, class Request>
  base::Result<Response> call(const std::string& method, const Request& request);

  const World* world_;
  std::string name_;
  std::string password_ = "correct horse";
  std::string token_;
  std::uint64_t id_ = 0;
};

}  // namespace parley::testing
