#include "rpc/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <optional>
#include <utility>

#include "parley/internal/v1/grpc_reflection.pb.h"
#include "rpc/bytes.h"
#include "rpc/calls.h"

namespace parley::rpc {
namespace {

namespace v1alpha = grpc::reflection::v1alpha;
using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;

constexpr std::string_view kService = "grpc.reflection.v1alpha.ServerReflection";

void set_error(v1alpha::ServerReflectionResponse& response, grpc::StatusCode code, std::string message) {
  auto& error = *response.mutable_error_response();
  error.set_error_code(code);
  error.set_error_message(std::move(message));
}

// The file and all that it imports, each once: a client needs them all to understand it.
void add_files(const FileDescriptor& file, std::set<const FileDescriptor*>& added,
               v1alpha::FileDescriptorResponse& files) {
  if (!added.insert(&file).second) {
    return;
  }
  google::protobuf::FileDescriptorProto described;
  file.CopyTo(&described);
  files.add_file_descriptor_proto(described.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) {
    add_files(*file.dependency(i), added, files);
  }
}

void set_file(v1alpha::ServerReflectionResponse& response, const FileDescriptor* file,
              const std::string& asked) {
  if (file == nullptr) {
    set_error(response, grpc::StatusCode::NOT_FOUND, "There is no " + asked + " here.");
    return;
  }
  std::set<const FileDescriptor*> added;
  add_files(*file, added, *response.mutable_file_descriptor_response());
}

}  // namespace

Reflection::Reflection(RawService& raw, std::set<std::string, std::less<>> services, std::size_t max_streams)
    : raw_(raw), services_(std::move(services)), max_streams_(max_streams) {
  services_.emplace(kService);
  method_index_ = raw_.add(kService, "ServerReflectionInfo", RawService::Type::BIDI_STREAMING);
}

std::optional<std::string> Reflection::answer(std::string_view request) const {
  using Request = v1alpha::ServerReflectionRequest;
  v1alpha::ServerReflectionResponse response;
  auto& asked = *response.mutable_original_request();
  if (!asked.ParseFromArray(request.data(), static_cast<int>(request.size()))) {
    return std::nullopt;
  }
  response.set_valid_host(asked.host());
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  switch (asked.message_request_case()) {
    case Request::kListServices:
      for (const auto& name : services_) {
        response.mutable_list_services_response()->add_service()->set_name(name);
      }
      break;
    case Request::kFileByFilename:
      set_file(response, pool.FindFileByName(asked.file_by_filename()), asked.file_by_filename());
      break;
    case Request::kFileContainingSymbol:
      set_file(response, pool.FindFileContainingSymbol(asked.file_containing_symbol()),
               asked.file_containing_symbol());
      break;
    case Request::kFileContainingExtension:
    case Request::kAllExtensionNumbersOfType:
      set_error(response, grpc::StatusCode::NOT_FOUND, "Nothing here has extensions.");
      break;
    case Request::MESSAGE_REQUEST_NOT_SET:
      set_error(response, grpc::StatusCode::INVALID_ARGUMENT, "The request asks nothing.");
      break;
  }
  return response.SerializeAsString();
}

// A stream of questions, each answered before the next is read: a caller that does not read its answers is
// not read from either, and is given up after a while. Kept alive by `self_` while gRPC owes it a completion.
// The loop's thread.
class Reflection::Call : public std::enable_shared_from_this<Call> {
 public:
  Call(Reflection& reflection, const CallHome& home) : reflection_(reflection), home_(home) {}
  ~Call() {
    if (is_counted_) {
      reflection_.streams_ -= 1;
    }
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void wait() {
    if (!home_.loop->accepts_operations()) {
      return;
    }
    self_ = shared_from_this();
    reflection_.raw_.request_both_streams(reflection_.method_index_, context_, stream_, home_.queue,
                                          home_.queue, &accepted_);
  }

 private:
  void on_accepted(bool ok) {
    if (!ok) {
      self_.reset();
      return;
    }
    std::make_shared<Call>(reflection_, home_)->wait();
    is_counted_ = true;
    reflection_.streams_ += 1;
    if (reflection_.streams_ > reflection_.max_streams_) {
      finish(to_status(too_many_streams("streams of reflection")));
    } else {
      read();
    }
  }

  void read() {
    if (home_.loop->accepts_operations()) {
      stream_.Read(&incoming_, &read_);
    } else {
      self_.reset();
    }
  }

  void on_read(bool ok) {
    if (!ok) {
      finish(grpc::Status::OK);
      return;
    }
    if (const auto refusal = refusal_by_size(incoming_)) {
      finish(to_status(*refusal));
      return;
    }
    auto answer = reflection_.answer(FlatBytes(incoming_).view());
    if (!answer) {
      finish({grpc::StatusCode::INVALID_ARGUMENT, "The request does not parse."});
    } else if (home_.loop->accepts_operations()) {
      deadline_.set(home_.options.answer_timeout);
      stream_.Write(to_buffer(*std::move(answer)), &written_);
    } else {
      self_.reset();
    }
  }

  void on_written(bool ok) {
    deadline_.clear();
    if (ok) {
      read();
    } else {
      finish(grpc::Status::OK);  // nobody is there to hear it
    }
  }

  void finish(const grpc::Status& status) {
    if (home_.loop->accepts_operations()) {
      deadline_.set(home_.options.answer_timeout);
      stream_.Finish(status, &finished_);
    } else {
      self_.reset();
    }
  }

  void on_finished(bool) { self_.reset(); }

  Reflection& reflection_;
  CallHome home_;
  grpc::ServerContext context_;
  grpc::ByteBuffer incoming_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{&context_};
  WriteDeadline deadline_{home_.deadlines, context_};
  MemberCompletion<Call> accepted_{*this, &Call::on_accepted};
  MemberCompletion<Call> read_{*this, &Call::on_read};
  MemberCompletion<Call> written_{*this, &Call::on_written};
  MemberCompletion<Call> finished_{*this, &Call::on_finished};
  std::shared_ptr<Call> self_;
  bool is_counted_ = false;
};

void Reflection::begin(const CallHome& home) { std::make_shared<Call>(*this, home)->wait(); }

}  // namespace parley::rpc
