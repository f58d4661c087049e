#include "tests/process/api_under_test.h"

#include <google/protobuf/stubs/casts.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <map>
#include <type_traits>
#include <utility>

#include "base/ensure.h"
#include "client/client.h"
#include "client/grpc_error.h"

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
  GrpcApi(std::unique_ptr<client::Client> client, const std::string& address)
      : client_(std::move(client)),
        channel_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())) {}

  base::Result<void> call(const std::string& method, const std::string& token, const Message& request,
                          Message& response) override {
    const auto found = methods_.find(method);
    base::ensure(found != methods_.end(), "a method of the API");
    client_->set_token(token);
    return found->second(*client_, request, response);
  }

  // A unary call and one that streams its answer begin alike on the wire.
  base::Result<std::string> call_bytes(const std::string& service, const std::string& method,
                                       const std::string& token, const std::string& bytes,
                                       std::chrono::milliseconds limit) override {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + limit);
    context.set_wait_for_ready(true);
    context.AddMetadata("authorization", "Bearer " + token);
    grpc::CompletionQueue queue;
    grpc::GenericStub stub(channel_);
    const auto call = stub.PrepareCall(&context, "/" + service + "/" + method, &queue);
    const auto done = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    const grpc::Slice slice(bytes);
    grpc::ByteBuffer answer;
    call->StartCall(nullptr);
    bool ok = done();
    if (ok) {
      call->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
      [[maybe_unused]] const bool written = done();  // if not, the status says why
      call->Read(&answer, nullptr);
      ok = done();
      if (ok) {
        context.TryCancel();
      }
    }
    grpc::Status status;
    call->Finish(&status, nullptr);
    [[maybe_unused]] const bool finished = done();
    if (!ok && !status.ok()) {
      return std::unexpected(client::to_attempt_error(status).error);
    }
    grpc::Slice flat;
    return ok && answer.DumpToSingleSlice(&flat).ok()
               ? std::string(reinterpret_cast<const char*>(flat.begin()), flat.size())
               : std::string();
  }

 private:
  using Client = client::Client;
  std::unique_ptr<Client> client_;
  std::shared_ptr<grpc::Channel> channel_;
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
  const int first = nodes.empty() ? 1 : nodes.front();
  return std::make_unique<GrpcApi>(cluster.client(nodes), to_string(cluster.client_address(first)));
}

}  // namespace parley::testing
