// ReflectionTalk: one stream of questions to gRPC's reflection service, with their answers; then the status
// that it ends with. Owned by: a test. One thread.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace parley::test {

class ReflectionTalk {
 public:
  explicit ReflectionTalk(const std::shared_ptr<grpc::Channel>& channel) : stub_(channel) {
    call_ = stub_.PrepareCall(&context_, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                              &queue_);
    call_->StartCall(nullptr);
    EXPECT_TRUE(wait());
  }
  ~ReflectionTalk() { context_.TryCancel(); }
  ReflectionTalk(const ReflectionTalk&) = delete;
  ReflectionTalk& operator=(const ReflectionTalk&) = delete;

  // Nothing: the stream has ended.
  std::optional<std::string> ask(const std::string& request) { return say(request) ? read() : std::nullopt; }
  bool say(const std::string& request) {
    const grpc::Slice slice(request);
    call_->Write(grpc::ByteBuffer(&slice, 1), nullptr);
    return wait();
  }
  std::optional<std::string> read() {
    grpc::ByteBuffer response;
    call_->Read(&response, nullptr);
    grpc::Slice flat;
    if (!wait() || !response.DumpToSingleSlice(&flat).ok()) {
      return std::nullopt;
    }
    return std::string(reinterpret_cast<const char*>(flat.begin()), flat.size());
  }
  grpc::Status end() {
    call_->WritesDone(nullptr);
    (void)wait();
    grpc::Status status;
    call_->Finish(&status, nullptr);
    (void)wait();
    return status;
  }

 private:
  bool wait() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

// The requests as bytes, as any client sends them: field number and type, length, text.
inline std::string reflection_request(char field, const std::string& text) {
  return std::string(1, static_cast<char>((field << 3) | 2)) + static_cast<char>(text.size()) + text;
}

}  // namespace parley::test
