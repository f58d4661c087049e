// Bytes between gRPC's buffers and ours. Private to rpc. Owned by: nobody. Any thread.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <string>
#include <string_view>
#include <utility>

namespace parley::rpc {

// The bytes of a buffer in one piece, without a copy where gRPC has them so.
class FlatBytes {
 public:
  explicit FlatBytes(const grpc::ByteBuffer& buffer) {
    readable_ = buffer.TrySingleSlice(&slice_).ok() || buffer.DumpToSingleSlice(&slice_).ok();
  }
  // Empty if it cannot be read.
  [[nodiscard]] std::string_view view() const {
    return readable_ ? std::string_view(reinterpret_cast<const char*>(slice_.begin()), slice_.size())
                     : std::string_view();
  }

 private:
  grpc::Slice slice_;
  bool readable_ = false;
};

[[nodiscard]] inline grpc::ByteBuffer to_buffer(std::string bytes) {
  constexpr std::size_t kCopiedBytes = 4096;
  if (bytes.size() <= kCopiedBytes) {
    const grpc::Slice slice(bytes.data(), bytes.size());
    return {&slice, 1};
  }
  auto* kept = new std::string(std::move(bytes));  // gRPC calls the deleter when it is done
  const grpc::Slice slice(
      kept->data(), kept->size(), [](void* user) { delete static_cast<std::string*>(user); }, kept);
  return {&slice, 1};
}

}  // namespace parley::rpc
