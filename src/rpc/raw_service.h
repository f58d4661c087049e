// RawService: gRPC methods by their names alone, of one service or of several, whose requests and responses
// are bytes, so that a request that does not parse still meets our own rules. Private to rpc. Owned by: the
// server; outlives it in gRPC's eyes. Any thread.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <deque>
#include <string>
#include <string_view>

namespace parley::rpc {

// What is compressed becomes as large as its sender likes before anybody can look at its size. So nothing is
// unpacked here: gRPC refuses such a call as UNIMPLEMENTED and says which algorithms it takes (none).
inline void take_nothing_compressed(grpc::ServerBuilder& builder) {
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
}

class RawService : public grpc::Service {
 public:
  using Type = grpc::internal::RpcMethod::RpcType;

  // Before it is registered. The answer is the index for the calls below.
  int add(std::string_view service, std::string_view method, Type type) {
    paths_.push_back("/" + std::string(service) + "/" + std::string(method));
    AddMethod(new grpc::internal::RpcServiceMethod(paths_.back().c_str(), type, nullptr));  // takes it over
    const int index = static_cast<int>(paths_.size()) - 1;
    MarkMethodRaw(index);
    return index;
  }

  // As gRPC's generated Request… of an asynchronous service.
  void request_unary(int index, grpc::ServerContext& context, grpc::ByteBuffer& request,
                     grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>& out, grpc::CompletionQueue* calls,
                     grpc::ServerCompletionQueue* notifications, void* tag) {
    RequestAsyncUnary(index, &context, &request, &out, calls, notifications, tag);
  }
  void request_server_stream(int index, grpc::ServerContext& context, grpc::ByteBuffer& request,
                             grpc::ServerAsyncWriter<grpc::ByteBuffer>& out, grpc::CompletionQueue* calls,
                             grpc::ServerCompletionQueue* notifications, void* tag) {
    RequestAsyncServerStreaming(index, &context, &request, &out, calls, notifications, tag);
  }
  void request_both_streams(int index, grpc::ServerContext& context,
                            grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>& both,
                            grpc::CompletionQueue* calls, grpc::ServerCompletionQueue* notifications,
                            void* tag) {
    RequestAsyncBidiStreaming(index, &context, &both, calls, notifications, tag);
  }

 private:
  std::deque<std::string> paths_;  // gRPC keeps pointers to them
};

}  // namespace parley::rpc
