// Watch against scripted servers: each event once, in order, whatever the streams do.
#include "client/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/client/scripted_server.h"
#include "tests/support/wait_until.h"

namespace parley::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::refused_status;
using testing::Script;
using testing::ScriptedServer;
using Writer = grpc::ServerWriter<v1::WatchResponse>;
using ::testing::ElementsAre;

v1::WatchResponse heartbeat(std::uint64_t position, const std::string& cluster = "c1") {
  v1::WatchResponse response;
  response.set_position(position);
  response.mutable_heartbeat()->mutable_as_of()->set_cluster_id(cluster);
  response.mutable_heartbeat()->set_writable(true);
  return response;
}
// Of a node that has not heard from a majority for five seconds.
v1::WatchResponse cut_off_heartbeat(std::uint64_t position) {
  v1::WatchResponse response = heartbeat(position);
  response.mutable_heartbeat()->mutable_as_of()->set_age_ms(5'000);
  response.mutable_heartbeat()->set_writable(false);
  return response;
}
// Of a node that takes writes and has not heard of them for seven seconds.
v1::WatchResponse behind_heartbeat(std::uint64_t position) {
  v1::WatchResponse response = heartbeat(position);
  response.mutable_heartbeat()->mutable_as_of()->set_age_ms(7'000);
  return response;
}
v1::WatchResponse message(std::uint64_t position) {
  v1::WatchResponse response;
  response.set_position(position);
  response.mutable_message()->set_id(position);
  return response;
}

// Writes down what happens, and lets the test wait for it.
class Recorder final : public WatchHandler {
 public:
  void on_connected(const std::string&, std::uint64_t position) override {
    add("connected " + std::to_string(position));
  }
  void on_event(const v1::WatchResponse& event) override {
    if (!event.has_heartbeat()) {
      add("event " + std::to_string(event.position()));
    }
  }
  void on_resync() override { add("resync"); }
  void on_trouble(const std::string&, const base::Error& error) override {
    add(error.reason == "CUT_OFF" ? "cut off" : "trouble");
  }
  void on_end(const base::Error& error) override { add("end " + base::to_string(error.code)); }

  // What there is once `last` has come.
  std::vector<std::string> wait_for(const std::string& last) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, seconds(30), [&] {
      return !lines_.empty() && lines_.back() == last;
    })) << last;
    return lines_;
  }

 private:
  void add(std::string line) {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

// A node that follows a script of streams; the last one stays open.
class Streams {
 public:
  using Play = std::function<grpc::Status(const v1::WatchRequest&, Writer&)>;
  explicit Streams(std::vector<Play> plays) : plays_(std::move(plays)) {}

  [[nodiscard]] Script script() {
    Script script;
    script.watch = [this](grpc::ServerContext& context, const v1::WatchRequest& request, Writer& writer) {
      std::size_t number = 0;
      {
        const std::scoped_lock lock(mutex_);
        number = requests_.size();
        requests_.push_back(request);
      }
      if (number < plays_.size()) {
        const grpc::Status status = plays_[number](request, writer);
        if (number + 1 < plays_.size() || !status.ok()) {
          return status;
        }
      }
      EXPECT_TRUE(testing::wait_until([&] { return context.IsCancelled(); }));
      return grpc::Status::CANCELLED;
    };
    return script;
  }
  [[nodiscard]] std::vector<v1::WatchRequest> requests() {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }

 private:
  const std::vector<Play> plays_;
  std::mutex mutex_;
  std::vector<v1::WatchRequest> requests_;
};

// What a node says of itself when it is asked.
class Statuses {
 public:
  explicit Statuses(bool writable, std::string cluster = "c1")
      : is_writable_(writable), cluster_(std::move(cluster)) {}

  void add_to(Script& script) {
    script.get_status = [this](grpc::ServerContext&, const v1::GetStatusRequest&,
                               v1::GetStatusResponse& response) {
      if (action_) {
        action_();
      }
      response.set_cluster_id(cluster_);
      response.set_writable(is_writable_);
      response.mutable_as_of()->set_age_ms(is_writable_ ? age_ms_.load() : 5'000);
      ++asked_;
      return grpc::Status::OK;
    };
  }
  void set_writable() { is_writable_ = true; }
  // As long as it takes writes.
  void set_age_ms(std::uint32_t age_ms) { age_ms_ = age_ms; }
  // Called before each answer.
  void on_asked(std::function<void()> action) { action_ = std::move(action); }
  [[nodiscard]] int asked() const { return asked_; }

 private:
  std::atomic<bool> is_writable_;
  std::atomic<std::uint32_t> age_ms_ = 20;
  const std::string cluster_;
  std::atomic<int> asked_ = 0;
  std::function<void()> action_;
};

Client make_client(const std::vector<base::Address>& servers) {
  ClientOptions options;
  options.servers = servers;
  options.first_server = 0;
  options.connect_timeout = options.keepalive_interval = seconds(60);  // a slow machine is no trouble
  return Client(std::move(options));
}

TEST(Watch, GoesOnAtAnotherNodeWithItsLastPosition) {
  Streams here({[](const v1::WatchRequest&, Writer& writer) {
    writer.Write(heartbeat(10));
    writer.Write(message(11));
    writer.Write(message(13));
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "killed");
  }});
  Streams there({[](const v1::WatchRequest&, Writer& writer) {
    writer.Write(heartbeat(13));
    writer.Write(message(13));  // a repeat
    writer.Write(message(15));
    return grpc::Status::OK;
  }});
  const ScriptedServer first(here.script());
  const ScriptedServer second(there.script());
  Client client = make_client({first.address(), second.address()});
  Recorder recorder;
  const Watch watch(client, {}, recorder);
  EXPECT_THAT(recorder.wait_for("event 15"),
              ElementsAre("connected 10", "event 11", "event 13", "trouble", "connected 13", "event 15"));
  EXPECT_FALSE(here.requests()[0].has_after_position());
  EXPECT_EQ(there.requests()[0].after_position(), 13U);
  EXPECT_EQ(there.requests()[0].cluster_id(), "c1");
}

TEST(Watch, HeartbeatsMoveThePosition) {
  Streams streams({[](const v1::WatchRequest&, Writer& writer) {
                     writer.Write(heartbeat(10));
                     writer.Write(heartbeat(40));
                     return grpc::Status(grpc::StatusCode::UNAVAILABLE, "killed");
                   },
                   [](const v1::WatchRequest&, Writer& writer) {
                     writer.Write(heartbeat(40));
                     writer.Write(message(41));
                     return grpc::Status::OK;
                   }});
  const ScriptedServer server(streams.script());
  Client client = make_client({server.address()});
  Recorder recorder;
  const Watch watch(client, {}, recorder);
  recorder.wait_for("event 41");
  EXPECT_EQ(streams.requests()[1].after_position(), 40U);
}

TEST(Watch, ResyncIsToldOnceTheNextStreamHasBegun) {
  Streams streams({[](const v1::WatchRequest&, Writer& writer) {
                     v1::WatchResponse response;
                     response.mutable_resync()->set_oldest_position(500);
                     writer.Write(response);
                     return grpc::Status::OK;
                   },
                   [](const v1::WatchRequest&, Writer& writer) {
                     writer.Write(heartbeat(900, "c2"));
                     writer.Write(message(901));
                     return grpc::Status::OK;
                   }});
  const ScriptedServer server(streams.script());
  Client client = make_client({server.address()});
  Recorder recorder;
  const Watch watch(client, {.after_position = 7, .cluster_id = "c1"}, recorder);
  EXPECT_THAT(recorder.wait_for("event 901"), ElementsAre("connected 900", "resync", "event 901"));
  EXPECT_FALSE(streams.requests()[1].has_after_position());
}

TEST(Watch, ASilentNodeIsLeft) {
  Streams silent({[](const v1::WatchRequest&, Writer& writer) {
    writer.Write(heartbeat(1));
    return grpc::Status::OK;
  }});
  Streams lively({[](const v1::WatchRequest&, Writer& writer) {
    writer.Write(heartbeat(1));
    writer.Write(message(2));
    return grpc::Status::OK;
  }});
  const ScriptedServer first(silent.script());
  const ScriptedServer second(lively.script());
  Client client = make_client({first.address(), second.address()});
  Recorder recorder;
  const Watch watch(client, {.silence_limit = seconds(3)}, recorder);
  EXPECT_THAT(recorder.wait_for("event 2"), ElementsAre("connected 1", "trouble", "connected 1", "event 2"));
}

TEST(Watch, MovesWhenItIsTold) {
  Streams here({[](const v1::WatchRequest&, Writer& writer) {
    writer.Write(heartbeat(1));
    return grpc::Status::OK;
  }});
  Streams there({[](const v1::WatchRequest&, Writer& writer) {
    writer.Write(heartbeat(1));
    writer.Write(message(2));
    return grpc::Status::OK;
  }});
  const ScriptedServer first(here.script());
  const ScriptedServer second(there.script());
  Client client = make_client({first.address(), second.address()});
  Recorder recorder;
  Watch watch(client, {}, recorder);
  recorder.wait_for("connected 1");
  watch.move();
  recorder.wait_for("event 2");
}

// For nodes that say nothing while the others are asked.
WatchStart patient() { return {.silence_limit = seconds(60)}; }

TEST(Watch, ANodeThatIsCutOffIsLeftForOneThatTakesWrites) {
  Streams here({[](const v1::WatchRequest&, Writer& writer) {
    writer.Write(heartbeat(10));
    writer.Write(message(11));
    writer.Write(cut_off_heartbeat(11));
    return grpc::Status::OK;
  }});
  Streams nowhere({});
  Streams there({[](const v1::WatchRequest&, Writer& writer) {
    writer.Write(heartbeat(11));
    writer.Write(message(11));  // a repeat
    writer.Write(message(12));
    return grpc::Status::OK;
  }});
  Statuses cut_off_too(false);
  Statuses other_cluster(true, "c2");
  Statuses well(false);  // until the others have answered: which one is asked first is chance
  well.on_asked([&] {
    if (cut_off_too.asked() > 0 && other_cluster.asked() > 0) {
      well.set_writable();
    }
  });
  std::vector<Script> scripts = {here.script(), nowhere.script(), nowhere.script(), there.script()};
  cut_off_too.add_to(scripts[1]);
  other_cluster.add_to(scripts[2]);
  well.add_to(scripts[3]);
  const ScriptedServer first(scripts[0]);
  const ScriptedServer second(scripts[1]);
  const ScriptedServer third(scripts[2]);
  const ScriptedServer fourth(scripts[3]);
  Client client = make_client(
      {first.address(), testing::dead_address(), second.address(), third.address(), fourth.address()});
  Recorder recorder;
  const Watch watch(client, patient(), recorder);
  EXPECT_THAT(recorder.wait_for("event 12"),
              ElementsAre("connected 10", "event 11", "cut off", "connected 11", "event 12"));
  EXPECT_EQ(there.requests()[0].after_position(), 11U);
  EXPECT_THAT(nowhere.requests(), ::testing::IsEmpty());
  EXPECT_GE(cut_off_too.asked(), 1);
  EXPECT_GE(other_cluster.asked(), 1);
}

// The node that serves says `trouble`; the other one is no better until `mend`: until then the watch stays,
// and asks.
void stays_until(Statuses& other, v1::WatchResponse (*trouble)(std::uint64_t),
                 const std::function<void()>& mend) {
  Streams here({[&other, trouble](const v1::WatchRequest&, Writer& writer) {
    writer.Write(trouble(10));
    EXPECT_TRUE(testing::wait_until([&] { return other.asked() >= 3; }));
    writer.Write(trouble(10));
    writer.Write(message(11));  // still its own stream
    return grpc::Status::OK;
  }});
  Streams there({[](const v1::WatchRequest&, Writer& writer) {
    writer.Write(heartbeat(12));
    return grpc::Status::OK;
  }});
  Script script = there.script();
  other.add_to(script);
  const ScriptedServer first(here.script());
  const ScriptedServer second(script);
  Client client = make_client({first.address(), second.address()});
  Recorder recorder;
  const Watch watch(client, patient(), recorder);
  EXPECT_THAT(recorder.wait_for("event 11"), ElementsAre("connected 10", "event 11"));
  mend();
  EXPECT_THAT(recorder.wait_for("connected 12"),
              ElementsAre("connected 10", "event 11", "cut off", "connected 12"));
}

TEST(Watch, WhereNobodyHasAMajorityItStaysAndGoesOnAsking) {
  Statuses other(false);
  stays_until(other, cut_off_heartbeat, [&other] { other.set_writable(); });
}

TEST(Watch, ANodeThatTakesWritesAndIsFarBehindIsLeft) {
  Streams here({[](const v1::WatchRequest&, Writer& writer) {
    writer.Write(heartbeat(10));
    writer.Write(message(11));
    writer.Write(behind_heartbeat(11));
    return grpc::Status::OK;
  }});
  Streams there({[](const v1::WatchRequest&, Writer& writer) {
    writer.Write(heartbeat(11));
    writer.Write(message(12));
    return grpc::Status::OK;
  }});
  Statuses well(true);
  Script script = there.script();
  well.add_to(script);
  const ScriptedServer first(here.script());
  const ScriptedServer second(script);
  Client client = make_client({first.address(), second.address()});
  Recorder recorder;
  const Watch watch(client, patient(), recorder);
  EXPECT_THAT(recorder.wait_for("event 12"),
              ElementsAre("connected 10", "event 11", "cut off", "connected 11", "event 12"));
  EXPECT_EQ(there.requests()[0].after_position(), 11U);
}

// Or watches would go round between nodes that all have too much to do.
TEST(Watch, WhereTheOthersAreBehindTooItStays) {
  Statuses other(true);
  other.set_age_ms(4'000);
  stays_until(other, behind_heartbeat, [&other] { other.set_age_ms(20); });
}

TEST(Watch, EndsWithItsSession) {
  Streams streams({[](const v1::WatchRequest&, Writer& writer) {
    writer.Write(heartbeat(1));
    return refused_status(grpc::StatusCode::UNAUTHENTICATED, "logged out");
  }});
  const ScriptedServer server(streams.script());
  Client client = make_client({server.address()});
  Recorder recorder;
  const Watch watch(client, {}, recorder);
  recorder.wait_for("end UNAUTHENTICATED");
}

}  // namespace
}  // namespace parley::client
