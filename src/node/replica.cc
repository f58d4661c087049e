#include "node/replica.h"

#include <fmt/format.h>
#include <sodium.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "base/ensure.h"
#include "node/call_server.h"
#include "node/core_inbox.h"
#include "node/core_loop.h"
#include "node/disk_writer.h"
#include "node/log_fetcher.h"
#include "node/node_folder.h"
#include "node/reader_pool.h"
#include "node/thread_name.h"

namespace parley::node {
namespace {

constexpr std::size_t kCoreQueue = 65'536;  // above all places of writes, reads and peers' messages together
constexpr std::size_t kApplyQueue =
    65'536;  // bounded before by the core's max_unapplied_bytes and by the places of reads
static_assert(kCoreQueue > ReplicaLimits().max_writes + ReplicaLimits().max_reads +
                               ReplicaLimits().max_peer_messages + ReplicaLimits().max_calls);
static_assert(kApplyQueue > ReplicaLimits().max_reads);
constexpr std::chrono::seconds kHubReadDeadline{10};
constexpr std::chrono::milliseconds kHandOverTime{500};

SteadyTime steady_now() { return std::chrono::steady_clock::now(); }

std::int64_t system_unix_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  randombytes_buf(&seed, sizeof seed);
  return seed;
}

class RunningReplica final : public Replica,
                             private PeerHandler,
                             private CorePorts,
                             private ApplyOutlet,
                             private WatchHub::World {
 public:
  RunningReplica(ReplicaOptions options, OpenedFolder folder, Transport& transport);
  ~RunningReplica() override { end(false); }
  RunningReplica(const RunningReplica&) = delete;
  RunningReplica& operator=(const RunningReplica&) = delete;

  void stop() override { end(true); }
  void kill() override { end(false); }

  // ChatNode
  void write(chat::Command command, Deadline deadline, WriteCallback done) override;
  void read(ReadMode mode, Deadline deadline, ReadCallback done) override;
  [[nodiscard]] std::unique_ptr<Subscription> watch(const WatchStart& start,
                                                    std::shared_ptr<WatchSink> sink) override {
    return hub_.watch(start, std::move(sink));
  }
  void call_leader(CallToLeader call, ApiCallback done) override;
  void set_api_handler(std::weak_ptr<ApiHandler> handler) override {
    call_server_.set_handler(std::move(handler));
  }
  [[nodiscard]] NodeStatus status() const override;
  [[nodiscard]] std::optional<chat::TokenKey> token_key() const override;
  [[nodiscard]] std::int64_t server_time_unix_ms() const override;

 private:
  // PeerHandler
  [[nodiscard]] std::expected<void, std::string> on_hello(const Hello& hello) override;
  void on_messages(const raft::Member& from, std::vector<PeerMessage> messages) override;
  void on_link_up(const raft::Member& peer) override;
  void on_link_down(const raft::Member& peer, LinkLoss why) override;
  void on_refused(base::NodeId peer, const std::string& reason) override;

  // CorePorts
  [[nodiscard]] bool send(base::NodeId to, PeerMessage message) override {
    return transport_.send(to, std::move(message));
  }
  void flush() override { transport_.flush(); }
  [[nodiscard]] bool store(raft::StorageBatch& batch) override { return disk_.store(batch); }
  [[nodiscard]] bool fetch(raft::FetchRequest& request) override { return fetcher_.fetch(request); }
  [[nodiscard]] bool apply(ApplyBatch& batch) override;
  [[nodiscard]] bool serve_call(const raft::Member& origin, ForwardCall& forward) override {
    return call_server_.serve(origin, forward);
  }
  void founded(const raft::Founding& founding) override;
  void set_peers(std::vector<PeerAddresses> peers) override { transport_.set_peers(std::move(peers)); }
  void ask_nodes() override;
  void publish(NodeStatus status, std::int64_t wall_unix_ms, SteadyTime at) override;
  [[nodiscard]] std::int64_t wall_unix_ms() override { return options_.wall_clock(); }
  [[nodiscard]] BootTime boot_time() override { return freshness_.now(); }
  [[nodiscard]] FoundingSecrets make_secrets() override;

  // ApplyOutlet
  void reply(const RemoteWriter& writer, chat::CommandResult result) override;
  void give_back(std::vector<PendingWritePtr> writes, std::vector<RemoteWriter> remote) override;
  void replied() override { transport_.flush(); }
  void publish(base::Position applied, std::vector<chat::SharedEvent> events) override {
    hub_.publish(applied, std::move(events));
  }
  void skip_to(base::Position applied) override { hub_.skip_to(applied); }
  void read(PendingRead read) override { readers_.submit(std::move(read)); }
  void state_reopened() override { readers_.state_reopened(); }
  void cannot_apply(const std::string& why) override;
  [[nodiscard]] std::expected<std::vector<raft::Entry>, std::string> read_log(base::Position first) override;
  [[nodiscard]] base::ClusterId cluster_id() const override;

  // WatchHub::World
  void read_applied(ReadCallback done) override;
  [[nodiscard]] AsOf as_of() const override;
  [[nodiscard]] bool is_writable() const override { return is_writable_.load(std::memory_order_relaxed); }

  void post(CoreEvent event);
  template <class Pending>
  void fail_unqueued(Pending& pending) const;
  void answer(const raft::Member& origin, CallReply reply);
  void run_core();
  void run_apply();
  void end(bool orderly);
  void fatal(const std::string& what);
  [[nodiscard]] bool is_in_log(base::Position position) const;
  [[nodiscard]] CoreLoopOptions loop_options() const;
  [[nodiscard]] raft::Core make_core();
  [[nodiscard]] Hello hello(const base::ClusterId& cluster_id) const;

  const ReplicaOptions options_;
  OpenedFolder folder_;
  Transport& transport_;
  const raft::Member self_;
  const std::string name_;  // for the program's log
  // Tells peers this process from the one before it, which had the same incarnation. Never 0.
  const std::uint64_t process_ = random_seed() | 1U;

  std::shared_ptr<Places> write_places_;
  std::shared_ptr<Places> read_places_;
  std::shared_ptr<Places> message_places_;
  std::shared_ptr<Places> call_places_;
  std::shared_ptr<Places> call_bytes_;
  std::atomic<std::uint64_t> acknowledged_writes_{0};
  std::atomic<bool> is_writable_{false};
  std::atomic<bool> is_founded_{false};

  mutable std::mutex board_mutex_;  // guards what follows
  NodeStatus board_;
  std::int64_t board_wall_unix_ms_ = 0;
  SteadyTime board_at_ = steady_now();
  std::optional<chat::TokenKey> token_key_;
  std::string told_trouble_;

  Freshness freshness_;
  ApplyProgress progress_;
  Admission admission_;
  CoreInbox inbox_;
  base::BoundedQueue<ApplyWork> apply_queue_;
  ReaderPool readers_;
  WatchHub hub_;
  DiskWriter disk_;
  LogFetcher fetcher_;
  CallServer call_server_;
  std::atomic<bool> is_stopping_{false};      // queues are about to be closed
  std::atomic<bool> is_ending_{false};        // the core's queue is closed
  std::atomic<bool> is_apply_ending_{false};  // the apply queue is closed
  std::atomic<bool> is_orderly_{true};
  bool is_transport_started_ = false;
  Applier applier_;  // the apply thread's, once it runs
  CoreLoop loop_;    // the core thread's, once it runs
  std::jthread apply_thread_;
  std::jthread core_thread_;
};

RunningReplica::RunningReplica(ReplicaOptions options, OpenedFolder folder, Transport& transport)
    : options_(std::move(options)),
      folder_(std::move(folder)),
      transport_(transport),
      self_{options_.id, folder_.recovered.incarnation},
      name_(fmt::format("node {}", options_.id.value())),
      write_places_(std::make_shared<Places>(options_.limits.max_writes)),
      read_places_(std::make_shared<Places>(options_.limits.max_reads)),
      message_places_(std::make_shared<Places>(options_.limits.max_peer_messages)),
      call_places_(std::make_shared<Places>(options_.limits.max_calls)),
      call_bytes_(std::make_shared<Places>(options_.limits.max_call_bytes)),
      freshness_(options_.boot_clock),
      admission_(self_, options_.founders, folder_.cluster_id(), {}),
      inbox_(kCoreQueue),
      apply_queue_("apply", kApplyQueue),
      readers_(folder_.state_options, options_.limits.reader_threads, options_.limits.max_reads, freshness_,
               progress_, [this](base::Position position) { return is_in_log(position); }),
      hub_(*this, options_.limits.watch, folder_.applied()),
      disk_(
          folder_.log, [this](std::uint64_t number) { post(Persisted{number}); },
          [this](const std::string& what) { fatal(what); }),
      fetcher_(
          folder_.log,
          [this](raft::FetchRequest request, std::vector<raft::Entry> entries) {
            post(Fetched{std::move(request), std::move(entries)});
          },
          [this](const std::string& what) { fatal(what); }),
      call_server_(options_.limits.max_calls, options_.limits.max_call_bytes,
                   [this](const raft::Member& origin, CallReply reply) { answer(origin, std::move(reply)); }),
      applier_(std::move(folder_.state), folder_.why_no_state, folder_.state_options, options_.limits.apply,
               folder_.applied(), *this, progress_, freshness_),
      loop_(make_core(), folder_.founding, folder_.last_stamp, loop_options(), *this, admission_, progress_,
            write_places_, steady_now()) {
  // What the loop said while it was made, it said before the transport could hear it.
  transport_.start(hello(folder_.cluster_id()), *this);
  is_transport_started_ = true;
  apply_thread_ = std::jthread([this] { run_apply(); });
  core_thread_ = std::jthread([this] { run_core(); });
}

Hello RunningReplica::hello(const base::ClusterId& cluster_id) const {
  return {.cluster_id = cluster_id,
          .self = self_,
          .peer_address = options_.peer_address,
          .founders = options_.founders,
          .process = process_};
}

void RunningReplica::fatal(const std::string& what) {
  spdlog::critical("{}: {}; it stops here", name_, what);
  if (!options_.on_fatal) {
    // At once: what has been promised is on the disk, and nothing more must be.
    std::_Exit(EXIT_FAILURE);
  }
  options_.on_fatal(what);
}

// ---- threads ----

CoreLoopOptions RunningReplica::loop_options() const {
  return {.listed = options_.founders,
          .addresses = {.node = self_.id,
                        .incarnation = self_.incarnation,
                        .peer_address = options_.peer_address,
                        .client_address = options_.client_address,
                        .http_address = options_.http_address},
          .tick = options_.tick,
          .writes = {.no_leader_answer = options_.limits.no_leader_answer},
          .reads = {.no_leader_answer = options_.limits.no_leader_answer},
          .calls = {.no_leader_answer = options_.limits.no_leader_answer},
          .first_forward_id = random_seed() >> 1U};  // and room to count on from there
}

raft::Core RunningReplica::make_core() {
  raft::Config config{.self = self_,
                      .priority = options_.priority,
                      .timing = options_.timing,
                      .flow = options_.limits.flow,
                      .seed = random_seed()};
  return {std::move(config), std::move(folder_.recovered.log), folder_.applied()};
}

void RunningReplica::run_core() {
  name_this_thread("core");
  while (!is_ending_) {
    inbox_.wait_until(loop_.next_wakeup(), loop_.gathers(), kLongestGathering);
    loop_.turn(inbox_.take(), steady_now());
  }
  for (CoreEvent& event : inbox_.take()) {
    if (auto* write = std::get_if<PendingWritePtr>(&event)) {
      fail(**write, base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
    } else if (auto* read = std::get_if<PendingRead>(&event)) {
      fail(*read, base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
    } else if (auto* call = std::get_if<PendingCallPtr>(&event)) {
      fail(**call, base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
    } else if (auto* given_back = std::get_if<GivenBack>(&event)) {
      for (PendingWritePtr& lost : given_back->writes) {
        fail(*lost, base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
      }
    }
  }
  loop_.stop();
}

void RunningReplica::run_apply() {
  name_this_thread("apply");
  bool is_open = true;
  while (is_open) {
    // Looked at before the queue: closed by then, it is drained once it is found empty.
    const bool is_ending = is_apply_ending_;
    auto work = apply_queue_.pop_all_until(applier_.next_wakeup(steady_now()));
    is_open = !work.empty() || !is_ending;
    for (ApplyWork& item : work) {
      if (auto* read = std::get_if<PendingRead>(&item)) {
        applier_.serve_stale(std::move(*read), steady_now());
        continue;
      }
      auto& batch = std::get<ApplyBatch>(item);
      if (!batch.items.empty()) {
        applier_.apply(std::move(batch.items));
      }
      for (ReadyReads& ready : batch.ready) {
        applier_.serve(std::move(ready));
      }
    }
    applier_.idle(steady_now());
  }
  if (is_orderly_) {
    applier_.stop();
  } else {
    applier_.abandon();
  }
}

void RunningReplica::end(bool orderly) {
  if (is_stopping_.exchange(true)) {
    return;
  }
  is_orderly_ = orderly;
  if (orderly) {
    post(PrepareStop{});
    const SteadyTime deadline = steady_now() + kHandOverTime;
    while (status().is_leader && status().nodes.size() > 1 && steady_now() < deadline) {
      std::this_thread::sleep_for(options_.tick / 2);
    }
  } else {
    disk_.abandon();
  }
  transport_.stop();
  // Closed first: once the core thread sees that it is to end, nothing can come any more that nobody answers.
  inbox_.close();
  is_ending_ = true;
  core_thread_.join();
  if (orderly) {
    disk_.stop();
  }
  fetcher_.stop();
  call_server_.stop();
  apply_queue_.close();
  is_apply_ending_ = true;
  apply_thread_.join();
  // The hub asks readers: it ends first, then they answer what is left.
  hub_.stop();
  readers_.stop();
}

void RunningReplica::post(CoreEvent event) {
  // The disk and the fetcher wait for room; the core never waits for them. A closed queue: the node is
  // ending.
  [[maybe_unused]] const bool posted = inbox_.push_waiting(std::move(event));
}

// What a queue did not take: it is full, or the node is ending.
template <class Pending>
void RunningReplica::fail_unqueued(Pending& pending) const {
  if (is_stopping_) {
    fail(pending, base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
  } else {
    fail(pending, base::Code::resource_exhausted, "OVERLOADED", "This node is busy. Try again.");
  }
}

// ---- ChatNode ----

void RunningReplica::write(chat::Command command, Deadline deadline, WriteCallback done) {
  auto place = Place::take(write_places_);
  auto pending = std::make_unique<PendingWrite>();
  pending->deadline = deadline;
  pending->done = [this, done = std::move(done)](base::Result<chat::CommandResult> result) mutable {
    if (result && result->verdict == chat::Verdict::done) {
      acknowledged_writes_.fetch_add(1, std::memory_order_relaxed);
    }
    done(std::move(result));
  };
  if (!place) {
    fail(*pending, base::Code::resource_exhausted, "OVERLOADED",
         "This node is busy: too many writes wait for their turn. Try again.");
    return;
  }
  if (const auto formed = chat::well_formed(command); !formed) {
    fail(*pending, base::Code::invalid_argument, "BAD_COMMAND", formed.error());
    return;
  }
  pending->place = std::move(*place);
  pending->command = base::Payload(chat::encode(command));
  CoreEvent event = std::move(pending);
  if (!inbox_.try_push(std::move(event), CoreInbox::Urgency::gathers)) {
    fail_unqueued(*std::get<PendingWritePtr>(event));
  }
}

void RunningReplica::read(ReadMode mode, Deadline deadline, ReadCallback done) {
  PendingRead pending{.mode = mode, .deadline = deadline, .done = std::move(done), .place = {}};
  if (!is_founded_) {
    fail(pending, base::Code::unavailable, "NOT_FOUNDED", "This node is not part of a cluster yet.");
    return;
  }
  auto place = Place::take(read_places_);
  if (!place) {
    fail(pending, base::Code::resource_exhausted, "OVERLOADED",
         "This node is busy: too many reads wait for their turn. Try again.");
    return;
  }
  pending.place = std::move(*place);
  if (mode == ReadMode::stale) {
    ApplyWork work = std::move(pending);
    if (!apply_queue_.try_push(std::move(work))) {
      fail_unqueued(std::get<PendingRead>(work));
    }
    return;
  }
  CoreEvent event = std::move(pending);
  if (!inbox_.try_push(std::move(event), CoreInbox::Urgency::urgent)) {
    fail_unqueued(std::get<PendingRead>(event));
  }
}

void RunningReplica::call_leader(CallToLeader call, ApiCallback done) {
  auto place = Place::take(call_places_);
  auto bytes = Place::take(call_bytes_, call.call.request.size_bytes());
  auto pending = std::make_unique<PendingCall>();
  pending->what = std::move(call);
  pending->done = std::move(done);
  if (!is_within_limits(pending->what.call)) {
    fail(*pending, base::Code::invalid_argument, "REQUEST_TOO_LARGE",
         "The request or its authorization is too large to be taken to the leader.");
    return;
  }
  if (!place || !bytes) {
    fail(*pending, base::Code::resource_exhausted, "OVERLOADED",
         "This node's state cannot be used, and too many calls wait for the leader. Try another node.");
    return;
  }
  pending->place = std::move(*place);
  pending->bytes = std::move(*bytes);
  CoreEvent event = std::move(pending);
  if (!inbox_.try_push(std::move(event), CoreInbox::Urgency::urgent)) {
    fail_unqueued(*std::get<PendingCallPtr>(event));
  }
}

NodeStatus RunningReplica::status() const {
  NodeStatus status;
  {
    const std::scoped_lock lock(board_mutex_);
    status = board_;
  }
  status.applied_index = progress_.applied.load(std::memory_order_acquire);
  // The board is one turn of the core old; what is applied was committed.
  status.commit_index = std::max(status.commit_index, status.applied_index);
  status.log_writes = disk_.writes();
  status.log_write_us = disk_.write_us();
  status.acknowledged_writes = acknowledged_writes_.load(std::memory_order_relaxed);
  status.as_of = AsOf{.position = base::Position(progress_.applied.load(std::memory_order_acquire)),
                      .age_ms = freshness_.age_ms(freshness_.asked_at()),
                      .cluster_id = status.cluster_id};
  return status;
}

std::optional<chat::TokenKey> RunningReplica::token_key() const {
  const std::scoped_lock lock(board_mutex_);
  return token_key_;
}

std::int64_t RunningReplica::server_time_unix_ms() const {
  const std::scoped_lock lock(board_mutex_);
  return board_wall_unix_ms_ +
         std::chrono::duration_cast<std::chrono::milliseconds>(steady_now() - board_at_).count();
}

// ---- PeerHandler ----

std::expected<void, std::string> RunningReplica::on_hello(const Hello& hello) {
  auto admitted = admission_.check(hello);
  // Its addresses, and whether it has state, are worth knowing in either case.
  if (hello.self.id != self_.id) {
    post(HelloHeard{hello, admitted.has_value()});
  }
  return admitted;
}

void RunningReplica::on_messages(const raft::Member& from, std::vector<PeerMessage> messages) {
  auto place = Place::take(message_places_, messages.size());
  if (!place) {
    return;
  }
  const auto is_forward = [](const PeerMessage& message) {
    return std::holds_alternative<ForwardWrite>(message);
  };
  const auto urgency =
      std::ranges::all_of(messages, is_forward) ? CoreInbox::Urgency::gathers : CoreInbox::Urgency::urgent;
  CoreEvent event = PeerSaid{from, std::move(messages), std::move(*place)};
  // Full or closed: lost messages are part of the protocol.
  [[maybe_unused]] const bool posted = inbox_.try_push(std::move(event), urgency);
}

void RunningReplica::on_link_up(const raft::Member& peer) { post(LinkUp{peer}); }

void RunningReplica::on_link_down(const raft::Member& peer, LinkLoss why) { post(LinkDown{peer, why}); }

void RunningReplica::on_refused(base::NodeId peer, const std::string& reason) { post(Refused{peer, reason}); }

// A large answer is refused by a link on which others wait already. Without a link it is lost: the origin
// asks again, or says that it does not know.
void RunningReplica::answer(const raft::Member& origin, CallReply reply) {
  const std::uint64_t forward_id = reply.forward_id;
  const auto* response = std::get_if<base::Payload>(&reply.answer);
  const bool is_page = response != nullptr && response->size_bytes() > kBulkAnswerBytes;
  bool sent = transport_.send(origin.id, std::move(reply));
  if (!sent && is_page) {
    base::Error error =
        base::refused(base::Code::resource_exhausted, "OVERLOADED",
                      "The leader has too many answers for this node on their way. Try again.");
    error.retry_after_ms = 100;
    sent = transport_.send(origin.id, CallReply{.forward_id = forward_id, .answer = std::move(error)});
  }
  if (sent) {
    transport_.flush();
  }
}

// ---- CorePorts ----

bool RunningReplica::apply(ApplyBatch& batch) {
  ApplyWork work = std::move(batch);
  if (apply_queue_.try_push(std::move(work))) {
    return true;
  }
  batch = std::move(std::get<ApplyBatch>(work));
  return false;
}

void RunningReplica::founded(const raft::Founding& founding) {
  {
    const std::scoped_lock lock(board_mutex_);
    token_key_ = chat::derive_token_key(founding.state_seed);
    board_.cluster_id = founding.cluster_id;
  }
  readers_.expect_cluster(founding.cluster_id);
  is_founded_ = true;
  if (is_transport_started_) {
    transport_.set_hello(hello(founding.cluster_id));
  }
}

void RunningReplica::ask_nodes() {
  read_applied([this](base::Result<chat::Reader*> reader, const AsOf&) {
    if (!reader) {
      return;
    }
    if (auto nodes = (*reader)->nodes()) {
      post(NodesKnown{std::move(*nodes)});
    }
  });
}

void RunningReplica::publish(NodeStatus status, std::int64_t wall_unix_ms, SteadyTime at) {
  is_writable_.store(status.writable, std::memory_order_relaxed);
  const std::scoped_lock lock(board_mutex_);
  if (status.trouble != told_trouble_) {
    told_trouble_ = status.trouble;
    if (status.trouble.empty()) {
      spdlog::info("{}: all is well", name_);
    } else {
      spdlog::warn("{}: {}", name_, status.trouble);
    }
  }
  if (status.leader != board_.leader || status.term != board_.term) {
    if (status.leader.is_none()) {
      spdlog::info("{}: no leader, term {}", name_, status.term);
    } else {
      spdlog::info("{}: node {} leads, term {}", name_, status.leader.value(), status.term);
    }
  }
  board_ = std::move(status);
  board_wall_unix_ms_ = wall_unix_ms;
  board_at_ = at;
}

FoundingSecrets RunningReplica::make_secrets() {
  FoundingSecrets secrets{.cluster_id = {}, .state_seed = std::string(32, '\0')};
  randombytes_buf(secrets.cluster_id.bytes.data(), secrets.cluster_id.bytes.size());
  randombytes_buf(secrets.state_seed.data(), secrets.state_seed.size());
  return secrets;
}

// ---- ApplyOutlet, WatchHub::World ----

void RunningReplica::reply(const RemoteWriter& writer, chat::CommandResult result) {
  // Lost if there is no link: the origin asks again.
  [[maybe_unused]] const bool sent = transport_.send(
      writer.origin.id, ForwardReply{.forward_id = writer.forward_id, .answer = std::move(result)});
}

void RunningReplica::give_back(std::vector<PendingWritePtr> writes, std::vector<RemoteWriter> remote) {
  CoreEvent event = GivenBack{std::move(writes), std::move(remote)};
  if (inbox_.push_waiting(std::move(event))) {
    return;
  }
  for (PendingWritePtr& write : std::get<GivenBack>(event).writes) {
    fail(*write, base::Code::unavailable, "SHUTTING_DOWN", "This node is shutting down.");
  }
}

void RunningReplica::cannot_apply(const std::string& why) { post(CannotApply{why}); }

std::expected<std::vector<raft::Entry>, std::string> RunningReplica::read_log(base::Position first) {
  // Some thousands of entries, run in a fraction of a second: the end of the node waits for no longer.
  constexpr std::size_t kRead_bytes = 256UL * 1024;
  auto entries = folder_.log.read(first, kRead_bytes);
  if (!entries) {
    return std::unexpected(entries.error().describe());
  }
  return std::move(*entries);
}

// What was applied here was stored here (rule 3).
bool RunningReplica::is_in_log(base::Position position) const {
  const base::Position applied(progress_.applied.load(std::memory_order_acquire));
  if (position <= std::max(applied, folder_.applied())) {
    return true;
  }
  const auto entries = folder_.log.read(position, 1);
  return entries && !entries->empty();
}

base::ClusterId RunningReplica::cluster_id() const {
  const std::scoped_lock lock(board_mutex_);
  return board_.cluster_id;
}

void RunningReplica::read_applied(ReadCallback done) {
  ApplyWork work = PendingRead{.mode = ReadMode::stale,
                               .deadline = steady_now() + kHubReadDeadline,
                               .done = std::move(done),
                               .place = {}};
  if (!apply_queue_.try_push(std::move(work))) {
    fail_unqueued(std::get<PendingRead>(work));
  }
}

AsOf RunningReplica::as_of() const {
  const std::scoped_lock lock(board_mutex_);
  return {
      .position = {}, .age_ms = freshness_.age_ms(freshness_.asked_at()), .cluster_id = board_.cluster_id};
}

}  // namespace

std::expected<std::unique_ptr<Replica>, std::string> Replica::open(ReplicaOptions options,
                                                                   wal::FileSystem& files,
                                                                   Transport& transport) {
  if (sodium_init() < 0) {
    return std::unexpected("libsodium cannot be used: no random numbers");
  }
  if (!options.wall_clock) {
    options.wall_clock = system_unix_ms;
  }
  if (!options.boot_clock) {
    options.boot_clock = boot_now;
  }
  options.log.seed = random_seed();
  std::ranges::sort(options.founders, {}, &ListedNode::id);
  auto folder = open_folder(files, options.data_folder, options.log, options.sqlite_vfs, options.id);
  if (!folder) {
    return std::unexpected(folder.error());
  }
  return std::make_unique<RunningReplica>(std::move(options), std::move(*folder), transport);
}

}  // namespace parley::node
