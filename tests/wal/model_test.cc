// Random lives of a log, seeded: appends, overrides, compactions, snapshots, seals, failing operations, full
// disks, restarts and power failures, each compared with a simple model.
#include <gmock/gmock.h>

#include <cstdlib>
#include <random>

#include "log_model.h"

namespace parley::wal {
namespace {

using sim::DiskFault;
using sim::FaultyFileSystem;

class Life {
 public:
  explicit Life(std::uint64_t seed) : random_(seed), disk_(seed + 1) { make_data_folder(disk_); }

  void live(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      if (!opened_) {
        start();
      } else if (one_in(12)) {
        die();
      } else {
        step();
      }
    }
  }

  [[nodiscard]] int faults() const { return faults_; }

 private:
  bool one_in(std::uint64_t n) { return random_() % n == 0; }

  void start() {
    const Options options{.segment_size_bytes = one_in(2) ? 4096U : 16384U,
                          .recovered_tail_bytes = one_in(2) ? 2000U : 1'000'000U,
                          .seed = random_(),
                          .prepares_in_thread = false};
    const bool injects = one_in(3);
    if (injects) disk_.inject(one_in(2) ? DiskFault::fails : DiskFault::power_fails, random_() % 60);
    auto opened = Log::open(disk_, kFolder, options);
    if (!opened) {
      ASSERT_TRUE(injects && disk_.has_injected()) << opened.error().describe();
      ++faults_;
      die();
      return;
    }
    disk_.clear_faults();
    opened_.emplace(std::move(*opened));
    if (disk_.has_injected()) {  // the power is off
      die();
      return;
    }
    const Model found = content_of(opened_->log, opened_->recovered);
    ASSERT_THAT(found, testing::AnyOf(acknowledged_, under_way_));
    acknowledged_ = found;
    under_way_ = found;
    if (!incarnation_.is_none()) {
      ASSERT_EQ(opened_->recovered.incarnation, incarnation_);
    }
    incarnation_ = opened_->recovered.incarnation;
  }

  void die() {
    opened_.reset();
    disk_.clear_faults();
    if (one_in(2) || disk_.has_injected()) {
      disk_.crash();
    } else {
      disk_.kill();
    }
  }

  void step() {
    const bool injects = one_in(15);
    if (injects) {
      const DiskFault faults[] = {DiskFault::fails, DiskFault::power_fails, DiskFault::out_of_space};
      disk_.inject(faults[random_() % 3], random_() % 4);
    }
    DiskResult<void> done;
    Log& log = opened_->log;
    switch (random_() % 10) {
      case 0:
        done = log.seal();
        break;
      case 1:
        done = compact(log);
        break;
      case 2:
        if (one_in(4)) {
          done = install(log);
          break;
        }
        [[fallthrough]];
      default:
        done = append(log);
    }
    if (!done) {
      ASSERT_TRUE(injects && disk_.has_injected()) << done.error().describe();
      ++faults_;
      // A process that ends; with or without its machine.
      die();
      return;
    }
    acknowledged_ = under_way_;
    if (injects && disk_.has_injected()) die();
    disk_.clear_faults();
  }

  DiskResult<void> append(Log& log) {
    std::vector<raft::StorageBatch> batches(1 + random_() % 3);
    for (raft::StorageBatch& batch : batches) {
      if (one_in(5)) {
        term_ += random_() % 2;
        batch = vote(term_, 1 + static_cast<std::uint32_t>(random_() % 3));
      }
      std::uint64_t next = under_way_.last().value() + 1;
      if (one_in(6) && !under_way_.entries.empty()) {
        next = under_way_.entries[random_() % under_way_.entries.size()].index.value();
        ++term_;
      }
      for (std::uint64_t more = random_() % 4; more > 0; --more, ++next) {
        const std::size_t size = one_in(20) ? random_() % 9000 : random_() % 400;
        batch.entries.push_back(one_in(12) ? configuration_entry(next, term_, 1 + next % 5)
                                           : entry(next, term_, std::string(size, 'x')));
      }
      under_way_.apply(batch);
    }
    return log.append_all(batches);
  }

  DiskResult<void> compact(Log& log) {
    if (under_way_.entries.empty()) return {};
    const raft::Entry& at = under_way_.entries[random_() % under_way_.entries.size()];
    return compact_to(log, point(at.index.value(), at.term.value()));
  }

  DiskResult<void> install(Log& log) {
    ++term_;
    return compact_to(log, point(under_way_.compaction.index.value() + 1 + random_() % 20, term_));
  }

  DiskResult<void> compact_to(Log& log, const raft::CompactionPoint& at) {
    const std::string file = "state-" + std::to_string(random_() % 100) + ".db";
    under_way_.compact(at, file);
    return log.compact(at, file);
  }

  std::mt19937_64 random_;
  FaultyFileSystem disk_;
  std::optional<Log::Opened> opened_;
  Model acknowledged_;
  Model under_way_;
  raft::Incarnation incarnation_;
  std::uint64_t term_ = 1;
  int faults_ = 0;
};

// PARLEY_WAL_LIVES makes it longer (soak); PARLEY_WAL_SEED begins elsewhere.
TEST(LogModel, random_lives) {
  const char* const lives_wanted = std::getenv("PARLEY_WAL_LIVES");
  const char* const first_seed = std::getenv("PARLEY_WAL_SEED");
  const std::uint64_t lives = lives_wanted != nullptr ? std::strtoull(lives_wanted, nullptr, 10) : 200;
  const std::uint64_t first = first_seed != nullptr ? std::strtoull(first_seed, nullptr, 10) : 1;
  int faults = 0;
  for (std::uint64_t seed = first; seed < first + lives; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Life life(seed);
    life.live(300);
    faults += life.faults();
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(faults, static_cast<int>(lives));
}

}  // namespace
}  // namespace parley::wal
