// The demo's parts: the count finds what is planted, the proxies cut links, the script waits for calm.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <vector>

#include "parley/demo/child.h"
#include "parley/demo/peer_proxies.h"
#include "parley/demo/record.h"
#include "parley/demo/script.h"
#include "parley/demo/socket_owner.h"
#include "parley/demo/story.h"
#include "tests/support/wait_until.h"

namespace parley::demo {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::wait_until;

// Three writes that were acknowledged and shown, one that was refused.
class Counting : public ::testing::Test {
 protected:
  Counting() {
    for (const std::uint64_t id : {10U, 11U, 12U}) {
      const std::size_t number = record_.begin(Speaker::ann);
      record_.acknowledged(number, id);
      record_.delivered(Speaker::bob, number, id);
    }
    record_.refused(record_.begin(Speaker::bob));
  }
  [[nodiscard]] static std::vector<Found> right() {
    return {{Speaker::ann, 0, 10}, {Speaker::ann, 1, 11}, {Speaker::ann, 2, 12}};
  }
  Record record_;
};

TEST_F(Counting, WhatIsRightIsClean) {
  const Verdict verdict = record_.check({right(), right()});
  EXPECT_TRUE(verdict.is_clean());
  EXPECT_THAT(verdict.complaints, ElementsAre());
  EXPECT_EQ(verdict.counts.sent, 4);
  EXPECT_EQ(verdict.counts.acknowledged, 3);
  EXPECT_EQ(verdict.counts.refused, 1);
}

TEST_F(Counting, APlantedLossIsToldOnceHoweverManyNodesLackIt) {
  auto lacks = right();
  lacks.erase(lacks.begin() + 1);
  const Verdict verdict = record_.check({right(), lacks, lacks});
  EXPECT_EQ(verdict.lost, 1);
  EXPECT_FALSE(verdict.is_clean());
  EXPECT_THAT(verdict.complaints, ElementsAre(HasSubstr("#1 was acknowledged as message 11, and node 2")));
}

TEST_F(Counting, APlantedDoubleIsTold) {
  auto twice = right();
  twice.push_back({Speaker::ann, 2, 13});
  const Verdict verdict = record_.check({twice});
  EXPECT_EQ(verdict.doubled, 1);
  EXPECT_THAT(verdict.complaints, ElementsAre(HasSubstr("#2 is there 2 times")));
}

TEST_F(Counting, ShownTwiceIsDoubledAndNeverShownIsLost) {
  record_.delivered(Speaker::bob, 0, 10);
  record_.acknowledged(record_.begin(Speaker::bob), 14);
  EXPECT_FALSE(record_.all_acknowledged_are_delivered());
  auto held = right();
  held.push_back({Speaker::bob, 4, 14});
  const Verdict verdict = record_.check({held});
  EXPECT_EQ(verdict.doubled, 1);
  EXPECT_EQ(verdict.lost, 1);
  record_.delivery_was_interrupted();
  EXPECT_EQ(record_.check({held}).lost, 0) << "a watch that said that it left something out";
}

TEST_F(Counting, AnotherIdARefusalThatIsThereAndAWrongOrderAreTold) {
  auto moved = right();
  moved[0].id = 20;
  moved.push_back({Speaker::bob, 3, 9});
  const Verdict verdict = record_.check({moved});
  EXPECT_EQ(verdict.lost, 1) << "acknowledged as one message, and is another";
  EXPECT_EQ(verdict.resurrected, 1);
  EXPECT_EQ(verdict.misordered, 1) << "begun after message 12 was acknowledged, and is before it";
}

TEST_F(Counting, WhatPeopleTypeBesideItIsTheirs) {
  auto held = right();
  held.push_back({Speaker::bob, 1, 15});
  held.push_back({Speaker::ann, 99, 16});
  EXPECT_TRUE(record_.check({held}).is_clean());
  EXPECT_EQ(number_of(tagged("And yet we talk.", 17)), 17);
  EXPECT_FALSE(number_of("hello #1 fan"));
  EXPECT_FALSE(number_of("hello"));
}

TEST_F(Counting, AnUnknownOutcomeIsCountedOnceItIsKnown) {
  const std::size_t number = record_.begin(Speaker::bob);
  record_.became_unknown(number);
  record_.became_unknown(number);
  EXPECT_EQ(record_.counts().resolved, 0);
  EXPECT_EQ(record_.counts().open, 1);
  record_.acknowledged(number, 30);
  EXPECT_EQ(record_.counts().resolved, 1);
  EXPECT_EQ(record_.counts().open, 0);
}

TEST(DemoScript, WaitsForCalmBetweenTwoActs) {
  auto script = Script::parse("lb", milliseconds(1'000));
  ASSERT_TRUE(script);
  const Time begin{std::chrono::seconds(100)};
  const auto at = [begin](int ms) { return begin + milliseconds(ms); };
  EXPECT_FALSE(script->due(at(0), true));
  EXPECT_EQ(script->due(at(1'000), true), Act::kill_leader);
  script->done(at(1'000));
  EXPECT_FALSE(script->due(at(1'500), false));
  EXPECT_FALSE(script->due(at(5'000), true)) << "calm has only begun";
  EXPECT_EQ(script->due(at(6'000), true), Act::bring_back);
  script->done(at(6'000));
  EXPECT_EQ(script->due(at(70'000), false), Act::quit) << "it does not wait for ever";
  EXPECT_FALSE(Script::parse("lx", milliseconds(1)));
}

TEST(DemoStory, EachFaultHasItsOwnSilence) {
  const Time begin{std::chrono::seconds(100)};
  Story story(begin);
  story.add({.time = begin, .text = "killed node 1", .is_fault = true});
  story.add({.time = begin + milliseconds(500), .text = "started node 1 again"});
  story.add({.time = begin + milliseconds(900), .text = "killed node 2", .is_fault = true});
  story.measure(begin + milliseconds(1'000),
                [](Time from, Time to) { return std::chrono::duration_cast<milliseconds>(to - from); });
  const auto lines = story.lines();
  EXPECT_EQ(lines[0].silence, milliseconds(900)) << "until the next fault";
  EXPECT_FALSE(lines[1].silence);
  EXPECT_EQ(lines[2].silence, milliseconds(100));
}

// A socket of this process, closed with the object.
class Socket {
 public:
  explicit Socket(int file) : file_(file) {}
  ~Socket() { ::close(file_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int file() const { return file_; }

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  [[nodiscard]] std::uint16_t listen() const {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(file_, generic, size), 0);
    EXPECT_EQ(::listen(file_, 8), 0);
    ::getsockname(file_, generic, &size);
    return ntohs(address.sin_port);
  }
  [[nodiscard]] bool dial(std::uint16_t port) const {
    const sockaddr_in address = loopback(port);
    return ::connect(file_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  void say(const std::string& what) const {
    EXPECT_EQ(::send(file_, what.data(), what.size(), MSG_NOSIGNAL), static_cast<ssize_t>(what.size()));
  }
  // What has come by now, without waiting. "(closed)": nothing will.
  [[nodiscard]] std::string heard() const {
    std::array<char, 100> buffer{};
    const ssize_t got = ::recv(file_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    return got < 0 ? "" : got == 0 ? "(closed)" : std::string(buffer.data(), static_cast<std::size_t>(got));
  }

 private:
  int file_;
};

Socket new_socket() { return Socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

// This process is node 1, and also what listens as node 2.
class Proxies : public ::testing::Test {
 protected:
  Proxies() : port_(listener_.listen()) {
    const base::Address nowhere{"127.0.0.1", 1};
    auto opened = PeerProxies::open({{.client = nowhere, .http = nowhere, .peer = nowhere},
                                     {.client = nowhere, .http = nowhere, .peer = {"127.0.0.1", port_}}});
    EXPECT_TRUE(opened);
    proxies_ = *std::move(opened);
    proxies_->started(1, ::getpid());
  }
  [[nodiscard]] std::uint16_t door(int node) const { return proxies_->addresses(node).listed.port; }
  [[nodiscard]] Socket accept() const {
    return Socket(::accept4(listener_.file(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  [[nodiscard]] static bool hears(const Socket& socket, const std::string& what) {
    std::string all;
    return wait_until([&] { return (all += socket.heard()) == what; });
  }
  [[nodiscard]] bool somebody_dials() const {
    pollfd file{.fd = listener_.file(), .events = POLLIN, .revents = 0};
    return ::poll(&file, 1, 0) == 1;
  }
  Socket listener_ = new_socket();
  std::uint16_t port_;
  std::unique_ptr<PeerProxies> proxies_;
};

TEST_F(Proxies, PassBothWaysAndAnEndEndsBoth) {
  const Socket dialler = new_socket();
  ASSERT_TRUE(dialler.dial(door(2)));
  {
    const Socket node = accept();
    dialler.say("hello");
    EXPECT_TRUE(hears(node, "hello"));
    node.say("yes?");
    EXPECT_TRUE(hears(dialler, "yes?"));
  }
  EXPECT_TRUE(hears(dialler, "(closed)"));
}

TEST_F(Proxies, ALinkThatIsCutIsSilentAndLosesNothing) {
  const Socket dialler = new_socket();
  ASSERT_TRUE(dialler.dial(door(2)));
  const Socket node = accept();
  dialler.say("before");
  ASSERT_TRUE(hears(node, "before"));
  proxies_->cut(1);
  dialler.say("while it is cut");
  // Another link of nobody who is cut off proves that the proxies had time to pass it on.
  const Socket late = new_socket();
  ASSERT_TRUE(late.dial(door(2)));
  late.say("late");
  std::size_t looks = 0;
  EXPECT_TRUE(wait_until([&] {
    EXPECT_EQ(node.heard(), "") << "nothing passes, and nothing is closed";
    EXPECT_FALSE(somebody_dials()) << "nobody gets through";
    return ++looks > 30;
  }));
  proxies_->heal(1);
  EXPECT_TRUE(hears(node, "while it is cut"));
  const Socket second = accept();
  EXPECT_TRUE(hears(second, "late"));
}

TEST_F(Proxies, WhoIsNoNodeOrDialsADeadOneIsClosed) {
  const Socket to_dead = new_socket();
  ASSERT_TRUE(to_dead.dial(door(1))) << "nothing listens behind it";
  EXPECT_TRUE(hears(to_dead, "(closed)"));
  proxies_->started(1, 1);  // so this process is nobody
  const Socket stranger = new_socket();
  ASSERT_TRUE(stranger.dial(door(2)));
  EXPECT_TRUE(hears(stranger, "(closed)"));
}

TEST(SocketOwner, IsFoundAmongTheCandidatesOnly) {
  const Socket listener = new_socket();
  const Socket dialler = new_socket();
  ASSERT_TRUE(dialler.dial(listener.listen()));
  const Socket accepted(::accept4(listener.file(), nullptr, nullptr, SOCK_CLOEXEC));
  const std::array<pid_t, 2> with = {1, ::getpid()};
  const std::array<pid_t, 1> without = {1};
  EXPECT_EQ(owner_of_other_end(accepted.file(), with), ::getpid());
  EXPECT_FALSE(owner_of_other_end(accepted.file(), without));
}

TEST(DemoChild, EndsWithItsOwnerAndTellsHowItEnded) {
  auto child = Child::start({"sleep", "1000"}, "/dev/null");
  ASSERT_TRUE(child);
  const pid_t id = child->id();
  EXPECT_FALSE(child->ended());
  child->send(SIGTERM);
  EXPECT_TRUE(WIFSIGNALED(child->wait()));
  child = Child::start({"sleep", "1000"}, "/dev/null");
  ASSERT_TRUE(child);
  const pid_t second = child->id();
  {
    const Child taken = *std::move(child);
  }
  EXPECT_NE(::kill(second, 0), 0) << "it is gone";
  EXPECT_NE(::kill(id, 0), 0);
  EXPECT_FALSE(run_command({"false"}));
  const auto told = run_command({"sh", "-c", "echo why; exit 3"});
  ASSERT_FALSE(told);
  EXPECT_THAT(told.error(), HasSubstr("why"));
}

}  // namespace
}  // namespace parley::demo
