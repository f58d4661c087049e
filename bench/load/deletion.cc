#include "load/deletion.h"

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

#include "parley/v1/api.grpc.pb.h"

namespace parley::bench {
namespace {

using Clock = std::chrono::steady_clock;
namespace api = parley::v1;

constexpr const char* kPassword = "not a secret, a load test";
constexpr std::chrono::seconds kCallTimeout{30};
// Sweeps follow each other at once where nobody writes: so long without one, and nothing is left to sweep.
constexpr std::chrono::seconds kQuiet{3};

// The account that is deleted, by its own connection.
class Doomed {
 public:
  Doomed(const std::string& server, std::string name) : name_(std::move(name)) {
    const auto channel = grpc::CreateChannel(server, grpc::InsecureChannelCredentials());
    accounts_ = api::AccountService::NewStub(channel);
  }

  [[nodiscard]] const std::string& name() const { return name_; }

  [[nodiscard]] grpc::Status create(const std::string& request_id) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    api::CreateAccountRequest request;
    request.set_name(name_);
    request.set_password(kPassword);
    request.set_request_id(request_id);
    api::CreateAccountResponse response;
    const grpc::Status status = accounts_->CreateAccount(&context, request, &response);
    token_ = response.token();
    return status;
  }

  [[nodiscard]] grpc::Status erase(const std::string& request_id) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token_);
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    api::DeleteAccountRequest request;
    request.set_password(kPassword);
    request.set_request_id(request_id);
    api::DeleteAccountResponse response;
    return accounts_->DeleteAccount(&context, request, &response);
  }

 private:
  std::string name_;
  std::string token_;
  std::unique_ptr<api::AccountService::Stub> accounts_;
};

void print_stretch(const char* what, const SendFigures& figures, std::chrono::seconds length) {
  fmt::print("{:32} {:7.0f} sends/s  p50 {:6.2f} ms  p99 {:6.2f} ms  longest gap {:5.0f} ms\n", what,
             static_cast<double>(figures.acknowledged) / static_cast<double>(length.count()),
             figures.latencies.quantile_ms(0.5), figures.latencies.quantile_ms(0.99),
             std::chrono::duration<double, std::milli>(figures.longest_gap).count());
  std::fflush(stdout);
}

// Until `messages` were sent to the account.
void fill(Senders& senders, const Doomed& doomed, std::size_t messages) {
  const Clock::time_point began = Clock::now();
  senders.send_all_to(doomed.name());
  std::size_t sent = 0;
  while (sent < messages) {
    sent += senders.run_until(Clock::now() + std::chrono::seconds(1)).acknowledged;
  }
  senders.send_all_to({});
  fmt::print("{} messages to one account: {:.0f} s\n", sent,
             std::chrono::duration<double>(Clock::now() - began).count());
  std::fflush(stdout);
}

// How long the state machine still had to sweep with nobody writing, and in how many commands (the sends that
// were under way are among them).
void print_rest(Senders& senders) {
  const Clock::time_point began = Clock::now();
  const std::uint64_t first = senders.leader().applied;
  senders.drain();
  std::uint64_t last = first;
  Clock::time_point moved = began;
  while (Clock::now() - moved < kQuiet) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const std::uint64_t now = senders.leader().applied;
    if (now != last) {
      last = now;
      moved = Clock::now();
    }
  }
  fmt::print("{:32} {} commands in {:.1f} s\n", "the rest, with nobody writing", last - first,
             std::chrono::duration<double>(moved - began).count());
}

}  // namespace

bool print_deletion(const DeletionFlags& flags, Senders& senders) {
  Doomed doomed(flags.servers.front(), senders.new_name());
  if (const grpc::Status status = doomed.create(senders.new_request_id()); !status.ok()) {
    fmt::print(stderr, "CreateAccount: {}\n", status.error_message());
    return false;
  }
  fill(senders, doomed, flags.messages);
  print_stretch("sends before the deletion", senders.run_until(Clock::now() + flags.stretch), flags.stretch);
  const grpc::Status status = doomed.erase(senders.new_request_id());
  if (!status.ok()) {
    fmt::print(stderr, "DeleteAccount: {}\n", status.error_message());
    return false;
  }
  print_stretch("sends while it is cleared up", senders.run_until(Clock::now() + flags.stretch),
                flags.stretch);
  print_rest(senders);
  return true;
}

}  // namespace parley::bench
