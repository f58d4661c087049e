#include "watch_load/watchers.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "watch_load/watch_stream.h"

namespace parley::bench {
namespace {

namespace asio = boost::asio;
constexpr std::size_t kBegunAtOnce = 200;

}  // namespace

struct Watchers::State final : StreamOwner {
  asio::io_context loop;
  asio::executor_work_guard<asio::io_context::executor_type> work{loop.get_executor()};
  std::vector<std::unique_ptr<WatchStream>> streams;
  std::size_t begun = 0;  // the loop's thread alone
  std::size_t first_server = 0;
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  WatchersSeen seen;                       // guarded, like what follows
  std::map<std::uint64_t, Time> arrivals;  // by position, the last
  Latencies resume_times;
  std::jthread thread;

  void begin_next() {
    if (begun < streams.size()) {
      streams[begun++]->start(first_server);
    }
  }
  void on_served(std::optional<std::chrono::nanoseconds> since_lost) override {
    {
      const std::scoped_lock lock(mutex);
      ++seen.served;
      if (since_lost) {
        resume_times.add(*since_lost);
      }
    }
    changed.notify_all();
    if (!since_lost) {
      begin_next();
    }
  }
  void on_event(std::uint64_t position) override {
    {
      const std::scoped_lock lock(mutex);
      ++seen.events;
      arrivals[position] = std::chrono::steady_clock::now();
    }
    changed.notify_all();
  }
  void on_lost(bool was_served, const std::string& why) override {
    const std::scoped_lock lock(mutex);
    seen.served -= was_served ? 1 : 0;
    ++seen.lost;
    seen.last_loss = why;
  }
  void on_resync() override {
    const std::scoped_lock lock(mutex);
    ++seen.resyncs;
  }
  template <class Condition>
  bool wait(std::chrono::seconds limit, const Condition& condition) const {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, limit, condition);
  }
};

Watchers::Watchers(const std::vector<base::Address>& servers, const std::vector<WatchAccount>& accounts,
                   std::size_t streams, std::size_t server)
    : state_(std::make_unique<State>()) {
  StreamTarget target;
  for (const base::Address& address : servers) {
    target.servers.emplace_back(asio::ip::make_address(address.host), address.port);
  }
  for (std::size_t i = 0; i < streams; ++i) {
    target.token = accounts[i % accounts.size()].token;
    state_->streams.push_back(
        std::make_unique<WatchStream>(state_->loop, *state_, target, static_cast<std::uint32_t>(i + 1)));
  }
  state_->first_server = server;
  asio::post(state_->loop, [state = state_.get()] {
    for (std::size_t i = 0; i < kBegunAtOnce; ++i) {
      state->begin_next();
    }
  });
  state_->thread = std::jthread([state = state_.get()] { state->loop.run(); });
}

Watchers::~Watchers() { stop(); }

void Watchers::stop() {
  if (!state_->thread.joinable()) {
    return;
  }
  asio::post(state_->loop, [state = state_.get()] {
    for (const auto& stream : state->streams) {
      stream->stop();
    }
    state->work.reset();
  });
  state_->thread.join();
}

WatchersSeen Watchers::seen() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->seen;
}

bool Watchers::wait_served(std::size_t streams, std::chrono::seconds limit) const {
  return state_->wait(limit, [&] { return state_->seen.served >= streams; });
}

bool Watchers::wait_events(std::size_t events, std::chrono::seconds limit) const {
  return state_->wait(limit, [&] { return state_->seen.events >= events; });
}

Watchers::Time Watchers::last_arrival(std::uint64_t position) const {
  const std::scoped_lock lock(state_->mutex);
  const auto found = state_->arrivals.find(position);
  return found == state_->arrivals.end() ? Time{} : found->second;
}

Latencies Watchers::resume_times() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->resume_times;
}

const std::vector<std::uint64_t>& Watchers::given(std::size_t stream) const {
  return state_->streams.at(stream)->given();
}

}  // namespace parley::bench
