#include "tests/process/raw_api.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include "client/grpc_error.h"

namespace parley::testing {
namespace {

class RawGrpcApi final : public RawApi {
 public:
  explicit RawGrpcApi(const std::string& address)
      : channel_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())) {}

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
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace

std::unique_ptr<RawApi> raw_grpc_api(const Cluster& cluster, int node) {
  return std::make_unique<RawGrpcApi>(to_string(cluster.client_address(node)));
}

}  // namespace parley::testing
