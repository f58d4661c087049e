#include "tests/process/api_under_test.h"

#include <google/protobuf/stubs/casts.h>

#include <map>
#include <type_traits>
#include <utility>

#include "base/ensure.h"
#include "client/client.h"

namespace parley::testing {
namespace {

using google::protobuf::Message;
using google::protobuf::internal::DownCast;
using Method = std::function<base::Result<void>(client::Client&, const Message&, Message&)>;

template <class Request, class Response>
Method write(client::WriteOutcome<Response> (client::Client::*method)(Request, const client::CallOptions&)) {
  return [method](client::Client& client, const Message& request, Message& response) -> base::Result<void> {
    auto outcome = (client.*method)(*DownCast<const Request*>(&request), {});
    if (auto* const done = std::get_if<client::Done<Response>>(&outcome)) {
      *DownCast<Response*>(&response) = std::move(done->answer);
      return {};
    }
    const auto* const refused = std::get_if<client::Refused>(&outcome);
    return std::unexpected(refused != nullptr ? refused->error : std::get<client::Unknown>(outcome).error);
  };
}

template <class Request, class Response>
Method read(base::Result<Response> (client::Client::*method)(const Request&, const client::CallOptions&)) {
  return [method](client::Client& client, const Message& request, Message& response) -> base::Result<void> {
    auto answer = (client.*method)(*DownCast<const Request*>(&request), {});
    if (!answer) {
      return std::unexpected(answer.error());
    }
    *DownCast<Response*>(&response) = *std::move(answer);
    return {};
  };
}

class GrpcApi final : public ApiUnderTest {
 public:
  explicit GrpcApi(std::unique_ptr<client::Client> client) : client_(std::move(client)) {}

  base::Result<void> call(const std::string& method, const std::string& token, const Message& request,
                          Message& response) override {
    const auto found = methods_.find(method);
    base::ensure(found != methods_.end(), "a method of the API");
    client_->set_token(token);
    return found->second(*client_, request, response);
  }

 private:
  using Client = client::Client;
  std::unique_ptr<Client> client_;
  const std::map<std::string, Method> methods_{
      {"CreateAccount", write(&Client::create_account)},
      {"LogIn", write(&Client::log_in)},
      {"LogOut", write(&Client::log_out)},
      {"ChangePassword", write(&Client::change_password)},
      {"DeleteAccount", write(&Client::delete_account)},
      {"GetAccount", read(&Client::get_account)},
      {"ListAccounts", read(&Client::list_accounts)},
      {"SendMessage", write(&Client::send_message)},
      {"ListMessages", read(&Client::list_messages)},
      {"ListConversations", read(&Client::list_conversations)},
      {"MarkRead", write(&Client::mark_read)},
      {"DeleteMessages", write(&Client::delete_messages)},
      {"GetUnreadCounts", read(&Client::get_unread_counts)},
      {"GetStatus", read(&Client::get_status)},
  };
};

}  // namespace

std::unique_ptr<ApiUnderTest> grpc_api(const Cluster& cluster, const std::vector<int>& nodes) {
  return std::make_unique<GrpcApi>(cluster.client(nodes));
}

}  // namespace parley::testing
