// CPU per command of the chat state machine: sends between random accounts in lazy transactions, and the
// queries of one account. Run: build/release/chat_bench
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ensure.h"
#include "base/uuid7.h"
#include "chat/command.h"
#include "chat/reader.h"
#include "chat/request_digest.h"
#include "chat/state_machine.h"

namespace parley::chat {
namespace {

constexpr std::int64_t kWallUnixMs = 1'800'000'000'000;

class Bench {
 public:
  explicit Bench(std::size_t accounts) {
    std::string folder = (std::filesystem::temp_directory_path() / "parley-bench-XXXXXX").string();
    base::ensure(mkdtemp(folder.data()) != nullptr, "a temporary folder can be made");
    folder_ = folder;
    options_.path = folder_ + "/state.db";
    auto opened = StateMachine::open(options_);
    base::ensure(opened.has_value(), "the state opens");
    machine_ = *std::move(opened);
    const base::ClusterId cluster{{1}};
    base::ensure(machine_->apply_founding(next(), cluster, std::string(32, 's')).has_value(), "founded");
    for (std::size_t i = 0; i < accounts; ++i) {
      Authority who;
      std::memcpy(who.session.bytes.data(), &i, sizeof(i));
      who.session.bytes[31] = 1;
      const auto result = apply(CreateAccount{.request = key(),
                                              .name = name_of(i),
                                              .password_hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
                                              .session = who.session});
      who.account = result.account;
      users_.push_back(who);
      if (i % 1'000 == 0) {
        commit();
      }
    }
    commit();
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  ~Bench() {
    machine_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  static std::string name_of(std::size_t user) { return "user" + std::to_string(user); }
  // Everybody talks to the next two accounts, and has done so before.
  std::string random_send() {
    const std::size_t from = random_() % users_.size();
    return encoded_send(from, (from + 1 + random_() % 2) % users_.size(), 200);
  }
  void make_conversations() {
    for (std::size_t from = 0; from < users_.size(); ++from) {
      (void)apply_bytes(encoded_send(from, (from + 1) % users_.size(), 200));
      (void)apply_bytes(encoded_send(from, (from + 2) % users_.size(), 200));
      if (from % 1'000 == 0) {
        commit();
      }
    }
    commit();
  }
  std::string encoded_send(std::size_t from, std::size_t to, std::size_t body_bytes) {
    return finish(SendMessage{.request = key(),
                              .authority = users_[from],
                              .recipient = name_of(to),
                              .body = std::string(body_bytes, 'x')});
  }
  CommandResult apply_bytes(const std::string& bytes) {
    auto applied = machine_->apply(next(), {.cluster_time_ms = 1, .wall_unix_ms = kWallUnixMs}, bytes);
    base::ensure(applied.has_value(), "the command applies");
    base::ensure(applied->result.verdict == Verdict::done, "the command is done");
    return applied->result;
  }
  CommandResult apply(Command command) { return apply_bytes(finish(std::move(command))); }
  void commit() {
    base::ensure(machine_->commit().has_value(), "commits");
    base::ensure(machine_->checkpoint_if_due().has_value(), "checkpoints");
  }
  [[nodiscard]] const Authority& user(std::size_t i) const { return users_[i]; }
  [[nodiscard]] const StateOptions& options() const { return options_; }

 private:
  Position next() { return machine_->applied().next(); }
  RequestKey key() {
    std::array<std::uint8_t, 10> random{};
    const std::uint64_t bits = random_();
    std::memcpy(random.data() + 2, &bits, sizeof(bits));
    return {.id = base::make_request_id(kWallUnixMs + static_cast<std::int64_t>(++keys_ / 50), random)};
  }
  static std::string finish(Command command) {
    const std::uint64_t digest = content_digest(command);
    std::visit(
        [digest](auto& c) {
          if constexpr (requires { c.request; }) {
            c.request.content_digest = digest;
          }
        },
        command);
    return encode(command);
  }

  std::string folder_;
  StateOptions options_;
  std::unique_ptr<StateMachine> machine_;
  std::vector<Authority> users_;
  std::mt19937_64 random_{1};
  std::uint64_t keys_ = 0;
};

// Arguments: accounts, entries in a transaction.
void BM_Send(benchmark::State& state) {
  Bench bench(static_cast<std::size_t>(state.range(0)));
  bench.make_conversations();
  const auto per_transaction = static_cast<std::size_t>(state.range(1));
  std::vector<std::string> commands;
  std::size_t sent = 0;
  for (auto _ : state) {
    if (sent % 10'000 == 0) {
      state.PauseTiming();
      commands.clear();
      for (std::size_t i = 0; i < 10'000; ++i) {
        commands.push_back(bench.random_send());
      }
      state.ResumeTiming();
    }
    benchmark::DoNotOptimize(bench.apply_bytes(commands[sent % 10'000]));
    if (++sent % per_transaction == 0) {
      bench.commit();
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(sent));
}
BENCHMARK(BM_Send)
    ->ArgNames({"accounts", "per_transaction"})
    ->Args({1'000, 1})
    ->Args({1'000, 10})
    ->Args({1'000, 100})
    ->Args({1'000, 1'000})
    ->Args({1'000, 10'000})
    ->Args({100'000, 100})
    ->Args({100'000, 1'000})
    ->Args({100'000, 10'000})
    ->Iterations(200'000);

// One account with conversations of ten messages each way.
class Mailbox {
 public:
  explicit Mailbox(std::size_t conversations) : bench_(conversations + 1) {
    for (std::size_t round = 0; round < 10; ++round) {
      for (std::size_t peer = 1; peer <= conversations; ++peer) {
        (void)bench_.apply_bytes(bench_.encoded_send(peer, 0, 200));
        (void)bench_.apply_bytes(bench_.encoded_send(0, peer, 200));
      }
      bench_.commit();
    }
    auto opened = Reader::open(bench_.options());
    base::ensure(opened.has_value(), "the reader opens");
    reader_ = *std::move(opened);
  }
  template <class Query>
  void run(benchmark::State& state, Query query) {
    for (auto _ : state) {
      base::ensure(reader_->begin().has_value(), "a snapshot");
      query(*reader_, bench_.user(0).account);
      reader_->end();
    }
  }

 private:
  Bench bench_;
  std::unique_ptr<Reader> reader_;
};

void BM_Inbox(benchmark::State& state) {
  Mailbox mailbox(static_cast<std::size_t>(state.range(0)));
  mailbox.run(state, [](Reader& reader, AccountId account) {
    benchmark::DoNotOptimize(reader.messages(account, {.newest_first = true}));
  });
}
BENCHMARK(BM_Inbox)->ArgName("conversations")->Arg(10)->Arg(100)->Arg(1'000)->Unit(benchmark::kMicrosecond);

void BM_History(benchmark::State& state) {
  Mailbox mailbox(static_cast<std::size_t>(state.range(0)));
  mailbox.run(state, [](Reader& reader, AccountId account) {
    benchmark::DoNotOptimize(reader.messages(account, {.peer = "user1", .newest_first = true}));
  });
}
BENCHMARK(BM_History)->ArgName("conversations")->Arg(100)->Unit(benchmark::kMicrosecond);

void BM_Conversations(benchmark::State& state) {
  Mailbox mailbox(static_cast<std::size_t>(state.range(0)));
  mailbox.run(state, [](Reader& reader, AccountId account) {
    benchmark::DoNotOptimize(reader.conversations(account, {}));
  });
}
BENCHMARK(BM_Conversations)
    ->ArgName("conversations")
    ->Arg(10)
    ->Arg(100)
    ->Arg(1'000)
    ->Unit(benchmark::kMicrosecond);

void BM_UnreadCounts(benchmark::State& state) {
  Mailbox mailbox(static_cast<std::size_t>(state.range(0)));
  mailbox.run(state, [](Reader& reader, AccountId account) {
    benchmark::DoNotOptimize(reader.unread_counts(account, {}));
  });
}
BENCHMARK(BM_UnreadCounts)->ArgName("conversations")->Arg(100)->Arg(1'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace parley::chat

BENCHMARK_MAIN();
