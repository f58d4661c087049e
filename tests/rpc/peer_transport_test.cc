// Peers over real gRPC on loopback: hellos, order, lost and found connections, refusals, frozen and false
// peers.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "node/peer_codec.h"
#include "rpc/completion_loop.h"
#include "rpc/peer_transport.h"
#include "rpc/steady_timer.h"
#include "tests/support/wait_until.h"

namespace parley::test {
namespace {

using namespace std::chrono_literals;
using parley::testing::wait_until;

raft::Member member(std::uint32_t id, std::uint64_t life = 1) {
  return {base::NodeId(id), base::Incarnation(life)};
}

// Remembers what it was told.
class Witness : public node::PeerHandler {
 public:
  std::expected<void, std::string> on_hello(const node::Hello& hello) override {
    const std::scoped_lock lock(mutex);
    hellos.push_back(hello);
    if (refused_ids.contains(hello.self.id.value())) {
      return std::unexpected("node " + std::to_string(hello.self.id.value()) + " is not of this cluster");
    }
    return {};
  }
  void on_refused(base::NodeId peer, const std::string& reason) override {
    const std::scoped_lock lock(mutex);
    refusals[peer.value()] = reason;
  }
  void on_messages(const raft::Member& from, std::vector<node::PeerMessage> messages) override {
    const std::scoped_lock lock(mutex);
    for (const node::PeerMessage& message : messages) {
      if (const auto* write = std::get_if<node::ForwardWrite>(&message)) {
        received[from.id.value()].push_back(write->forward_id);
      }
    }
  }
  void on_link_up(const raft::Member& peer) override {
    const std::scoped_lock lock(mutex);
    up[peer.id.value()] = peer;
    ++ups;
  }
  void on_link_down(const raft::Member& peer, node::LinkLoss why) override {
    const std::scoped_lock lock(mutex);
    up.erase(peer.id.value());
    losses.push_back(why);
  }

  bool is_up(std::uint32_t id) {
    const std::scoped_lock lock(mutex);
    return up.contains(id);
  }
  std::size_t received_from(std::uint32_t id) {
    const std::scoped_lock lock(mutex);
    return received[id].size();
  }

  std::mutex mutex;
  std::vector<node::Hello> hellos;
  std::set<std::uint32_t> refused_ids;
  std::map<std::uint32_t, std::string> refusals;
  std::map<std::uint32_t, std::vector<std::uint64_t>> received;
  std::map<std::uint32_t, raft::Member> up;
  std::vector<node::LinkLoss> losses;
  int ups = 0;
};

struct Peer {
  explicit Peer(raft::Member who, std::uint16_t port = 0, rpc::PeerTransportOptions options = {},
                std::uint64_t the_process = 0)
      : self(who), process(the_process) {
    options.listen = {"127.0.0.1", port};
    auto listening = rpc::PeerTransport::listen(std::move(options));
    EXPECT_TRUE(listening) << (listening ? "" : listening.error());
    transport = *std::move(listening);
    transport->start(hello(), witness);
  }
  [[nodiscard]] node::Hello hello() const {
    return {.self = self, .peer_address = address(), .process = process};
  }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(transport->port()); }
  void dial(std::uint32_t id, std::vector<std::string> addresses) const {
    transport->set_peers({{base::NodeId(id), std::move(addresses)}});
  }
  [[nodiscard]] bool send(std::uint32_t to, std::uint64_t number, std::size_t size_bytes = 10) const {
    const bool taken = transport->send(
        base::NodeId(to),
        node::ForwardWrite{.forward_id = number, .command = base::Payload(std::string(size_bytes, 'c'))});
    transport->flush();
    return taken;
  }

  raft::Member self;
  std::uint64_t process;
  Witness witness;
  std::unique_ptr<rpc::PeerTransport> transport;
};

// Answers to calls may be large: some wait, and what the log needs passes beside them.
TEST(PeerTransport, ManyLargeAnswersDoNotFillALink) {
  Peer a(member(1));
  Peer b(member(2));
  a.dial(2, {b.address()});
  ASSERT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
  int taken = 0;
  const auto answer = [&](std::size_t size_bytes) {
    return a.transport->send(
        base::NodeId(2),
        node::CallReply{.forward_id = 1, .answer = base::Payload(std::string(size_bytes, 'p'))});
  };
  EXPECT_TRUE(answer(3UL * 1024 * 1024)) << "one of any size, where none waits";
  for (int i = 0; i < 10; ++i) {
    taken += answer(1024UL * 1024) ? 1 : 0;
  }
  EXPECT_LE(taken, 4) << "the loop may have taken some meanwhile";
  EXPECT_TRUE(answer(1024)) << "a small one always";
  EXPECT_TRUE(a.send(2, 7));
  ASSERT_TRUE(wait_until([&] { return b.witness.received_from(1) == 1; }));
  ASSERT_TRUE(wait_until([&] { return answer(1024UL * 1024); })) << "there is room again";
}

TEST(PeerTransport, WhatIsSentArrivesInOrder) {
  Peer a(member(1));
  Peer b(member(2));
  EXPECT_FALSE(a.send(2, 0)) << "not dialled yet";
  a.dial(2, {b.address()});
  ASSERT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
  constexpr std::uint64_t kMessages = 20'000;
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(wait_until([&] { return a.send(2, i, 300); }, 60s, 1ms));
  }
  ASSERT_TRUE(wait_until([&] { return b.witness.received_from(1) == kMessages; }));
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    ASSERT_EQ(b.witness.received[1][i], i);
  }
  EXPECT_EQ(b.witness.hellos.at(0), a.hello());
}

TEST(PeerTransport, AnotherHelloComesOnOpenConnections) {
  Peer a(member(1));
  Peer b(member(2));
  a.dial(2, {b.address()});
  ASSERT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
  auto later = a.hello();
  later.cluster_id.bytes.fill(9);
  a.transport->set_hello(later);
  ASSERT_TRUE(wait_until([&] {
    const std::scoped_lock lock(b.witness.mutex);
    return !b.witness.hellos.empty() && b.witness.hellos.back() == later;
  })) << "by the dialler";
  auto answer = b.hello();
  answer.cluster_id.bytes.fill(9);
  b.transport->set_hello(answer);
  EXPECT_TRUE(wait_until([&] {
    const std::scoped_lock lock(a.witness.mutex);
    return a.witness.hellos.back() == answer;
  })) << "by the dialled";
}

TEST(PeerTransport, APeerThatIsGoneIsToldAndFoundAgain) {
  Peer a(member(1));
  auto b = std::make_unique<Peer>(member(2));
  const auto port = b->transport->port();
  a.dial(2, {b->address()});
  ASSERT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
  b.reset();
  ASSERT_TRUE(wait_until([&] { return !a.witness.is_up(2); }));
  EXPECT_EQ(a.witness.losses.at(0), node::LinkLoss::closed);
  EXPECT_FALSE(a.send(2, 1));
  Peer again(member(2, 2), port);
  ASSERT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
  EXPECT_EQ(a.witness.up.at(2), member(2, 2));
  ASSERT_TRUE(a.send(2, 7));
  EXPECT_TRUE(wait_until([&] { return again.witness.received_from(1) == 1; }));
}

TEST(PeerTransport, ARefusedHelloIsToldWithItsReason) {
  Peer a(member(1));
  Peer b(member(2));
  {
    const std::scoped_lock lock(b.witness.mutex);
    b.witness.refused_ids = {1};
  }
  a.dial(2, {b.address()});
  ASSERT_TRUE(wait_until([&] {
    const std::scoped_lock lock(a.witness.mutex);
    return a.witness.refusals.contains(2);
  }));
  EXPECT_EQ(a.witness.refusals.at(2), "node 1 is not of this cluster");
  EXPECT_FALSE(a.witness.is_up(2));
  {
    const std::scoped_lock lock(b.witness.mutex);
    b.witness.refused_ids.clear();
  }
  EXPECT_TRUE(wait_until([&] { return a.witness.is_up(2); })) << "it goes on trying";
}

TEST(PeerTransport, AnAddressThatAnswersWithAnotherIdIsPassedOver) {
  Peer a(member(1));
  const Peer wrong(member(3));
  const Peer b(member(2));
  a.dial(2, {wrong.address(), "127.0.0.1:1", b.address()});
  ASSERT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
  EXPECT_EQ(a.witness.up.at(2), member(2));
  EXPECT_EQ(a.witness.ups, 1);
}

TEST(PeerTransport, WhoIsNoLongerNamedIsDisconnected) {
  Peer a(member(1));
  const Peer b(member(2));
  a.dial(2, {b.address()});
  ASSERT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
  a.dial(2, {"127.0.0.1:1"});
  EXPECT_TRUE(a.send(2, 1)) << "a link that works stays, whatever its addresses are now";
  a.transport->set_peers({});
  ASSERT_TRUE(wait_until([&] { return !a.witness.is_up(2); }));
  EXPECT_EQ(a.witness.losses.at(0), node::LinkLoss::replaced);
}

sockaddr_in loopback_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int dial_loopback(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback_address(port);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

// A listener whose connections nobody serves, unless they are taken by fd(): as a process that is stopped.
class FrozenPort {
 public:
  FrozenPort() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback_address(0);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~FrozenPort() { close(fd_); }
  FrozenPort(const FrozenPort&) = delete;
  FrozenPort& operator=(const FrozenPort&) = delete;
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

// A port whose connections lead to another one. They can be broken, and lead elsewhere from then on: as if
// the process there had ended and another one listened before anybody came again.
class Relay {
 public:
  explicit Relay(std::uint16_t target)
      : target_(target), thread_([this](const std::stop_token& stop) { run(stop); }) {}
  [[nodiscard]] std::string address() const { return port_.address(); }
  void break_and_lead_to(std::uint16_t target) {
    const std::scoped_lock lock(mutex_);
    target_ = target;
    is_breaking_ = true;
  }

 private:
  using Pair = std::array<int, 2>;

  // False: one side has closed it.
  static bool pass(int from, int to) {
    std::array<char, 16'384> buffer{};
    const ssize_t got = recv(from, buffer.data(), buffer.size(), 0);
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t more = send(to, buffer.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
      if (more <= 0) {
        return false;
      }
      sent += more;
    }
    return got > 0;
  }
  static void close_both(const Pair& pair) {
    close(pair[0]);
    close(pair[1]);
  }

  void run(const std::stop_token& stop) {
    std::vector<Pair> pairs;
    while (!stop.stop_requested()) {
      std::uint16_t target = 0;
      {
        const std::scoped_lock lock(mutex_);
        target = target_;
        if (std::exchange(is_breaking_, false)) {
          std::ranges::for_each(pairs, close_both);
          pairs.clear();
        }
      }
      std::vector<pollfd> files = {{.fd = port_.fd(), .events = POLLIN, .revents = 0}};
      for (const Pair& pair : pairs) {
        files.push_back({.fd = pair[0], .events = POLLIN, .revents = 0});
        files.push_back({.fd = pair[1], .events = POLLIN, .revents = 0});
      }
      poll(files.data(), files.size(), 20);
      std::size_t at = 1;
      std::erase_if(pairs, [&](const Pair& pair) {
        const bool is_open = (files[at].revents == 0 || pass(pair[0], pair[1])) &&
                             (files[at + 1].revents == 0 || pass(pair[1], pair[0]));
        at += 2;
        if (!is_open) {
          close_both(pair);
        }
        return !is_open;
      });
      if (files[0].revents != 0) {
        const int accepted = accept4(port_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
        pairs.push_back({accepted, dial_loopback(target)});
      }
    }
    std::ranges::for_each(pairs, close_both);
  }

  const FrozenPort port_;
  std::mutex mutex_;
  std::uint16_t target_;
  bool is_breaking_ = false;
  std::jthread thread_;
};

// Rule 10, "or met another process". The redial finds somebody at once, so that only its Hello tells.
TEST(PeerTransport, AProcessThatWasRestartedBeforeTheRedialIsToldAsALoss) {
  struct Processes {
    std::uint64_t first;
    std::uint64_t second;
  };
  // The last two: a node that was brought to this version, or back to one before it.
  for (const auto& [first_process, second_process] :
       {Processes{11, 12}, Processes{0, 12}, Processes{11, 0}}) {
    const Peer first(member(2), 0, {}, first_process);
    Peer second(member(2), 0, {}, second_process);
    Relay relay(first.transport->port());
    Peer a(member(1), 0, {.handshake_timeout = 60s});  // so that nothing but the Hello tells of a loss
    a.dial(2, {relay.address()});
    ASSERT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
    relay.break_and_lead_to(second.transport->port());
    ASSERT_TRUE(wait_until([&] {
      const std::scoped_lock lock(a.witness.mutex);
      return a.witness.ups == 2;
    })) << "from process "
        << first_process << " to " << second_process;
    {
      const std::scoped_lock lock(a.witness.mutex);
      EXPECT_THAT(a.witness.losses, ::testing::ElementsAre(node::LinkLoss::closed));
      EXPECT_EQ(a.witness.up.at(2), member(2));
    }
    ASSERT_TRUE(a.send(2, 7));
    EXPECT_TRUE(wait_until([&] { return second.witness.received_from(1) == 1; }));
  }
}

// 0: of a version that names no process.
TEST(PeerTransport, TheSameProcessFoundAgainAtOnceIsNoLoss) {
  for (const std::uint64_t process : {std::uint64_t{0}, std::uint64_t{11}}) {
    Peer b(member(2), 0, {}, process);
    Relay relay(b.transport->port());
    Peer a(member(1), 0, {.handshake_timeout = 60s});
    a.dial(2, {relay.address()});
    ASSERT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
    relay.break_and_lead_to(b.transport->port());
    ASSERT_TRUE(wait_until([&] {
      const std::scoped_lock lock(b.witness.mutex);
      return b.witness.hellos.size() == 2;
    })) << "it comes again";
    ASSERT_TRUE(wait_until([&] { return a.send(2, 7) && b.witness.received_from(1) > 0; }));
    const std::scoped_lock lock(a.witness.mutex);
    EXPECT_THAT(a.witness.losses, ::testing::IsEmpty());
    EXPECT_EQ(a.witness.ups, 1);
  }
}

// A peer that answers each Hello with its own, and closes.
class HastyPeer : public grpc::CallbackGenericService {
 public:
  explicit HastyPeer(raft::Member self) {
    const std::array<node::PeerMessage, 1> hello = {node::Hello{.self = self, .process = 11}};
    const grpc::Slice slice(node::encode_frame(hello));
    answer_ = grpc::ByteBuffer(&slice, 1);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
    EXPECT_NE(server_, nullptr);
  }
  ~HastyPeer() override { server_->Shutdown(std::chrono::system_clock::now()); }
  HastyPeer(const HastyPeer&) = delete;
  HastyPeer& operator=(const HastyPeer&) = delete;

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* /*call*/) override {
    calls_ += 1;
    return new Talk(answer_);  // deletes itself
  }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int calls() const { return calls_; }

 private:
  class Talk : public grpc::ServerGenericBidiReactor {
   public:
    explicit Talk(const grpc::ByteBuffer& answer) : answer_(answer) { StartRead(&hello_); }
    void OnReadDone(bool ok) override {
      if (ok) {
        StartWriteAndFinish(&answer_, {}, grpc::Status::OK);
      } else {
        Finish(grpc::Status::CANCELLED);
      }
    }
    void OnDone() override { delete this; }

   private:
    grpc::ByteBuffer hello_;
    grpc::ByteBuffer answer_;
  };

  grpc::ByteBuffer answer_;
  std::atomic<int> calls_ = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(PeerTransport, WhoAnswersAndClosesAtOnceIsLostAndLeftAlone) {
  const HastyPeer hasty(member(2));
  Peer a(member(1), 0, {.handshake_timeout = 60s, .min_backoff = 1h, .max_backoff = 1h, .settled_after = 1h});
  a.dial(2, {hasty.address()});
  ASSERT_TRUE(wait_until([&] {
    const std::scoped_lock lock(a.witness.mutex);
    return !a.witness.losses.empty();
  })) << "it goes on for ever as if nothing had happened";
  EXPECT_EQ(hasty.calls(), 2) << "once, and again at once";
  EXPECT_FALSE(a.witness.is_up(2));
  EXPECT_FALSE(a.send(2, 1));
  const std::scoped_lock lock(a.witness.mutex);
  EXPECT_THAT(a.witness.losses, ::testing::ElementsAre(node::LinkLoss::closed));
  EXPECT_EQ(a.witness.ups, 1);
}

TEST(PeerTransport, WhoAnswersAndClosesAgainAndAgainIsDialledEverMoreSeldom) {
  const HastyPeer hasty(member(2));
  Peer a(member(1), 0,
         {.handshake_timeout = 60s, .min_backoff = 20ms, .max_backoff = 1h, .settled_after = 1h});
  a.dial(2, {hasty.address()});
  const auto has_lost = [&](std::size_t times) {
    return wait_until([&] {
      const std::scoped_lock lock(a.witness.mutex);
      return a.witness.losses.size() >= times;
    });
  };
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(has_lost(7));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 1s) << "20 ms, 40, ... 640, and not 20 each time";
}

TEST(PeerTransport, WhatHasLivedForAWhileIsDialledAtOnceHoweverOften) {
  Peer b(member(2), 0, {}, 11);
  Relay relay(b.transport->port());
  Peer a(member(1), 0,
         {.handshake_timeout = 60s, .min_backoff = 1h, .max_backoff = 1h, .settled_after = 0ms});
  a.dial(2, {relay.address()});
  ASSERT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
  for (std::size_t times = 1; times <= 3; ++times) {
    relay.break_and_lead_to(b.transport->port());
    ASSERT_TRUE(wait_until([&] {
      const std::scoped_lock lock(a.witness.mutex);
      return a.witness.hellos.size() == times + 1;
    })) << "it is not answered again: "
        << times;
  }
  ASSERT_TRUE(wait_until([&] { return a.send(2, 7) && b.witness.received_from(1) > 0; }));
  const std::scoped_lock lock(a.witness.mutex);
  EXPECT_THAT(a.witness.losses, ::testing::IsEmpty());
  EXPECT_EQ(a.witness.ups, 1);
}

TEST(PeerTransport, AFrozenAddressDoesNotKeepTheNextFromBeingTried) {
  Peer a(member(1), 0, {.handshake_timeout = 100ms});
  const FrozenPort frozen;
  const Peer b(member(2));
  a.dial(2, {frozen.address(), b.address()});
  EXPECT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
}

TEST(PeerTransport, TheQueueOfALinkIsBounded) {
  // The peer takes its time with each message, so that more comes than goes.
  class Slow : public Witness {
   public:
    void on_messages(const raft::Member& from, std::vector<node::PeerMessage> messages) override {
      const std::scoped_lock lock(gate);
      Witness::on_messages(from, std::move(messages));
    }
    std::mutex gate;
  };
  Slow slow;
  auto listening = rpc::PeerTransport::listen({.listen = {"127.0.0.1", 0}});
  ASSERT_TRUE(listening);
  const std::string address = "127.0.0.1:" + std::to_string((*listening)->port());
  (*listening)->start({.self = member(2), .peer_address = address}, slow);
  Peer a(member(1), 0, {.max_queued_messages = 100, .max_queued_size_bytes = 1'000'000});
  a.dial(2, {address});
  ASSERT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
  std::unique_lock frozen(slow.gate);
  std::uint64_t sent = 0;
  // Frozen from here on: windows and queue fill up, and then sends are refused.
  constexpr std::uint64_t kTooMany = 100'000;
  while (sent < kTooMany && a.send(2, sent, 10'000)) {
    ++sent;
  }
  EXPECT_LT(sent, kTooMany);
  frozen.unlock();
  EXPECT_TRUE(wait_until([&] { return slow.received_from(1) == sent; })) << "what was taken arrives";
  EXPECT_TRUE(a.send(2, sent)) << "and there is room again";
  (*listening)->stop();
}

TEST(PeerTransport, GarbageOnThePortHarmsNobody) {
  Peer a(member(1));
  const Peer b(member(2));
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    const int fd = dial_loopback(b.transport->port());
    std::string bytes = round % 2 == 0 ? "" : "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for (int i = 0; i < 2'000; ++i) {
      bytes.push_back(static_cast<char>(random()));
    }
    (void)!send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    close(fd);
  }
  a.dial(2, {b.address()});
  EXPECT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
}

TEST(PeerTransport, StopsAtAnyMoment) {
  Peer b(member(2));
  for (int round = 0; round < 30; ++round) {
    Peer a(member(1, static_cast<std::uint64_t>(round) + 1));
    a.dial(2, {b.address(), "127.0.0.1:1"});
    if (round % 3 == 0) {
      ASSERT_TRUE(wait_until([&] { return a.witness.is_up(2); }));
      (void)a.send(2, 1);
    }
  }
}

// The loop goes on without it. Under ASan what would be touched then is seen.
TEST(PeerTransport, NothingOfItIsLeftOnALoopThatItShared) {
  const auto loop = std::make_shared<rpc::CompletionLoop>(std::make_unique<grpc::CompletionQueue>());
  loop->start();
  for (int round = 0; round < 5; ++round) {
    Witness witness;
    auto transport = rpc::PeerTransport::listen({.listen = {.host = "127.0.0.1", .port = 0}}, loop);
    ASSERT_TRUE(transport.has_value());
    (*transport)->start({.self = member(1)}, witness);
    loop->run([] {});
    // 1. The loop is busy for longer than a round of accepting takes to be due. 2. stop() waits for it.
    // 3. The round comes due: it will run right after the transport has begun to stop.
    std::promise<void> over;
    loop->post([busy = over.get_future()] { busy.wait(); });
    rpc::SteadyTimer timer;
    timer.run_after(100ms, [&over] { over.set_value(); });
    transport->reset();
  }
  std::promise<void> later;
  loop->post_after(100ms, [&later] { later.set_value(); });
  later.get_future().wait();
  loop->stop();
}

}  // namespace
}  // namespace parley::test
