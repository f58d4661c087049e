// When the other servers are asked whether they serve a watch better.
#include "client/majority_probe.h"

#include <grpcpp/completion_queue.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "client/client_impl.h"
#include "tests/client/scripted_server.h"

namespace parley::client {
namespace {

using std::chrono::milliseconds;
using Time = MajorityProbe::Time;

// At the first of `servers` servers, none of which is asked.
class Probe {
 public:
  explicit Probe(std::size_t servers) : client_(options(servers)), probe_(client_.impl(), 0, queue_) {}

  // When the next one is to be asked, by what its node says.
  [[nodiscard]] Time due(bool writable, std::optional<std::uint32_t> age_ms, Time now) {
    v1::Heartbeat heartbeat;
    heartbeat.set_writable(writable);
    if (age_ms) {
      heartbeat.mutable_as_of()->set_age_ms(*age_ms);
    }
    probe_.on_heartbeat(heartbeat, now);
    return probe_.due();
  }

 private:
  static ClientOptions options(std::size_t servers) {
    ClientOptions options;
    options.servers.assign(servers, testing::dead_address());
    options.first_server = 0;
    return options;
  }

  Client client_;
  grpc::CompletionQueue queue_;
  MajorityProbe probe_;
};

TEST(MajorityProbe, ANodeThatTakesWritesAndKeepsUpIsNotCompared) {
  Probe probe(3);
  const auto now = std::chrono::steady_clock::now();
  for (const auto age_ms : {0U, 1'000U, 3'000U, 5'999U}) {
    EXPECT_EQ(probe.due(true, age_ms, now), Time::max()) << age_ms;
  }
  EXPECT_EQ(probe.due(true, std::nullopt, now), Time::max()) << "one that says nothing of its age";
}

TEST(MajorityProbe, OneThatTakesWritesAndIsFarBehindIsComparedUntilItHasCaughtUp) {
  Probe probe(3);
  const auto now = std::chrono::steady_clock::now();
  EXPECT_EQ(probe.due(true, 6'000, now), now);
  EXPECT_EQ(probe.due(true, 1'000, now), Time::max());
  EXPECT_EQ(probe.due(true, 7'000, now), now);
}

TEST(MajorityProbe, OneThatTakesNoWritesIsGivenTheTimeOfAnElection) {
  const auto now = std::chrono::steady_clock::now();
  EXPECT_EQ(Probe(3).due(false, 1'000, now), now + milliseconds(2'000));
  EXPECT_EQ(Probe(3).due(false, 5'000, now), now);
  EXPECT_EQ(Probe(3).due(false, std::nullopt, now), now);
}

TEST(MajorityProbe, TheOnlyServerIsComparedWithNobody) {
  Probe probe(1);
  const auto now = std::chrono::steady_clock::now();
  EXPECT_EQ(probe.due(true, 7'000, now), Time::max());
  EXPECT_EQ(probe.due(false, 7'000, now), Time::max());
}

}  // namespace
}  // namespace parley::client
