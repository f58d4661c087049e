// The API over Connect, as JSON or protobuf: each call on a connection of its own to the next of the nodes.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <grpcpp/support/status.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "base/ensure.h"
#include "client/grpc_error.h"
#include "client/request_ids.h"
#include "parley/internal/v1/rpc_status.pb.h"
#include "tests/gateway/http_connection.h"
#include "tests/process/api_under_test.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using google::protobuf::Message;
using namespace std::chrono_literals;

constexpr std::array<std::string_view, 17> kCodes = {
    "ok",        "canceled",       "unknown",           "invalid_argument",   "deadline_exceeded",
    "not_found", "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
    "aborted",   "out_of_range",   "unimplemented",     "internal",           "unavailable",
    "data_loss", "unauthenticated"};

// "/parley.v1.MessageService/SendMessage"
std::string path_of(const std::string& method) {
  const auto* file =
      google::protobuf::DescriptorPool::generated_pool()->FindFileByName("parley/v1/api.proto");
  for (int i = 0; i < file->service_count(); ++i) {
    if (file->service(i)->FindMethodByName(method) != nullptr) {
      return "/" + file->service(i)->full_name() + "/" + method;
    }
  }
  base::stop_process("there is no method " + method);
}

std::string from_base64(const std::string& text) {
  std::string bytes(text.size(), '\0');
  std::size_t size = 0;
  const int failed =
      sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                        text.size(), nullptr, &size, nullptr, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
  base::ensure(failed == 0, "details of an error are base64 without padding");
  bytes.resize(size);
  return bytes;
}

// The body of an error, as the client library reads that of gRPC.
client::AttemptError error_of(const test::HttpReply& reply) {
  google::protobuf::Struct json;
  base::ensure(google::protobuf::util::JsonStringToMessage(reply.body, &json).ok(), "an error is JSON");
  const auto& fields = json.fields();
  const auto code = std::ranges::find(kCodes, fields.at("code").string_value());
  base::ensure(code != kCodes.end(), "an error has one of Connect's codes");
  internal::v1::RpcStatus status;
  for (const auto& detail : fields.at("details").list_value().values()) {
    auto& any = *status.add_details();
    any.set_type_url("type.googleapis.com/" + detail.struct_value().fields().at("type").string_value());
    any.set_value(from_base64(detail.struct_value().fields().at("value").string_value()));
  }
  return client::to_attempt_error({static_cast<grpc::StatusCode>(code - kCodes.begin()),
                                   fields.at("message").string_value(), status.SerializeAsString()});
}

class ConnectApi final : public ApiUnderTest {
 public:
  ConnectApi(std::vector<base::Address> nodes, bool is_json)
      : nodes_(std::move(nodes)), is_json_(is_json), ids_([] {
          return std::chrono::duration_cast<std::chrono::milliseconds>(
                     std::chrono::system_clock::now().time_since_epoch())
              .count();
        }) {}

  base::Result<void> call(const std::string& method, const std::string& token, const Message& request,
                          Message& response) override {
    const std::string path = path_of(method);
    const std::string body = encode(*with_request_id(request));
    std::optional<base::Result<void>> result;
    const bool answered = wait_until(
        [&] {
          result = attempt(path, token, body, response);
          return result.has_value();
        },
        60s, 50ms);
    if (!answered) {
      return std::unexpected(base::outcome_unknown(base::Code::unavailable, "NO_ANSWER", "no node answered"));
    }
    return *std::move(result);
  }

 private:
  [[nodiscard]] std::unique_ptr<Message> with_request_id(const Message& request) {
    std::unique_ptr<Message> copy(request.New());
    copy->CopyFrom(request);
    const auto* field = copy->GetDescriptor()->FindFieldByName("request_id");
    if (field != nullptr && copy->GetReflection()->GetString(*copy, field).empty()) {
      copy->GetReflection()->SetString(copy.get(), field, ids_.make());
    }
    return copy;
  }

  [[nodiscard]] std::string encode(const Message& message) const {
    std::string bytes;
    base::ensure(is_json_ ? google::protobuf::util::MessageToJsonString(message, &bytes).ok()
                          : message.SerializeToString(&bytes),
                 "a request can be written");
    return bytes;
  }

  // Nothing: it has to be tried again.
  std::optional<base::Result<void>> attempt(const std::string& path, const std::string& token,
                                            const std::string& body, Message& response) {
    const auto& node = nodes_.at(next_++ % nodes_.size());
    const std::string type = is_json_ ? "application/json" : "application/proto";
    test::HttpConnection connection(node.host, node.port);
    test::Headers headers = {
        {"Content-Type", type}, {"Connect-Protocol-Version", "1"}, {"Connect-Timeout-Ms", "10000"}};
    if (!token.empty()) {
      headers.emplace_back("Authorization", "Bearer " + token);
    }
    const auto reply = connection.ask("POST", path, headers, body);
    if (reply.status == 0) {
      return std::nullopt;  // the node has gone
    }
    if (reply.status == 200) {
      base::ensure(reply.header("content-type") == type, "the answer has the type of the request");
      base::ensure(is_json_ ? google::protobuf::util::JsonStringToMessage(reply.body, &response).ok()
                            : response.ParseFromString(reply.body),
                   "the answer can be read");
      return base::Result<void>{};
    }
    const auto failed = error_of(reply);
    if (failed.error.code == base::Code::unavailable || failed.error.code == base::Code::deadline_exceeded) {
      return std::nullopt;
    }
    return std::unexpected(failed.error);
  }

  const std::vector<base::Address> nodes_;
  const bool is_json_;
  client::RequestIds ids_;
  std::size_t next_ = 0;
};

std::unique_ptr<ApiUnderTest> connect_api(const Cluster& cluster, const std::vector<int>& nodes,
                                          bool is_json) {
  std::vector<base::Address> addresses;
  for (const int node : nodes.empty() ? cluster.ids() : nodes) {
    addresses.push_back(cluster.http_address(node));
  }
  return std::make_unique<ConnectApi>(std::move(addresses), is_json);
}

}  // namespace

std::unique_ptr<ApiUnderTest> connect_json_api(const Cluster& cluster, const std::vector<int>& nodes) {
  return connect_api(cluster, nodes, true);
}

std::unique_ptr<ApiUnderTest> connect_proto_api(const Cluster& cluster, const std::vector<int>& nodes) {
  return connect_api(cluster, nodes, false);
}

}  // namespace parley::testing
