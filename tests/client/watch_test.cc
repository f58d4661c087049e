// Watch against scripted servers: each event once, in order, whatever the streams do.
#include "client/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  void on_trouble(const std::string&, const base::Error&) override { add("trouble"); }
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

Client make_client(const std::vector<base::Address>& servers) {
  ClientOptions options;
  options.servers = servers;
  options.first_server = 0;
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
  const Watch watch(client, {.silence_limit = milliseconds(200)}, recorder);
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
