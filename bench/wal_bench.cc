// What the log costs: appends by batch size, beside the same bytes written raw to a preallocated file; start;
// reads. The folder is $PARLEY_BENCH_DIR, or the current one: it must be on a real disk, not on tmpfs.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/ensure.h"
#include "wal/log.h"

namespace {

using parley::raft::Index;
using parley::raft::Payload;
using parley::raft::StorageBatch;
using parley::raft::Term;
using parley::wal::Log;

constexpr std::size_t kValueBytes = 200;

class Folder {
 public:
  Folder() {
    const char* const root = std::getenv("PARLEY_BENCH_DIR");
    path_ = std::filesystem::path(root != nullptr ? root : ".") / ("wal-bench-" + std::to_string(::getpid()));
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

Log::Opened open_log(parley::wal::FileSystem& files, const std::string& path) {
  auto opened = Log::open(files, path, {.seed = std::random_device()()});
  parley::base::ensure(opened.has_value(), "the log opens");
  return std::move(*opened);
}

StorageBatch make_batch(std::uint64_t first, std::uint64_t count) {
  StorageBatch batch;
  for (std::uint64_t i = 0; i < count; ++i) {
    batch.entries.push_back(
        {.index = Index(first + i), .term = Term(1), .data = Payload(std::string(kValueBytes, 'x'))});
  }
  return batch;
}

void count_entries(benchmark::State& state, std::uint64_t entries) {
  state.counters["per_entry"] = benchmark::Counter(static_cast<double>(entries),
                                                   benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// As many segments as a node keeps: what is far behind is compacted away, as it would be.
void BM_append(benchmark::State& state) {
  const Folder folder;
  const auto files = parley::wal::make_posix_file_system();
  auto [log, recovered] = open_log(*files, folder.path("log"));
  const auto per_batch = static_cast<std::uint64_t>(state.range(0));
  std::uint64_t next = 1;
  std::uint64_t compacted = 0;
  constexpr std::uint64_t kKept = 500'000;
  for (auto _ : state) {
    state.PauseTiming();
    if (next > compacted + 2 * kKept) {
      compacted = next - kKept;
      parley::base::ensure(log.compact({.index = Index(compacted), .term = Term(1)}, "").has_value(),
                           "compacts");
    }
    const StorageBatch batch = make_batch(next, per_batch);
    next += per_batch;
    state.ResumeTiming();
    parley::base::ensure(log.append(batch).has_value(), "the batch is stored");
  }
  count_entries(state, next - 1);
}
BENCHMARK(BM_append)->Arg(1)->Arg(10)->Arg(100)->Arg(1000)->UseRealTime()->MinTime(2);

// The floor: the same number of bytes, one write and one fdatasync, into zeros that are on the disk already.
void BM_raw_file(benchmark::State& state) {
  const Folder folder;
  const auto files = parley::wal::make_posix_file_system();
  auto file = files->create(folder.path("raw"));
  parley::base::ensure(file.has_value(), "the file is made");
  constexpr std::uint64_t kFileBytes = 64ULL * 1024 * 1024;
  const std::string zeros(kFileBytes, '\0');
  parley::base::ensure((*file)->write_at(0, zeros) && (*file)->sync_data(), "the file is filled");
  const std::string bytes(static_cast<std::size_t>(state.range(0)) * (kValueBytes + 48), 'x');
  std::uint64_t at = 0;
  std::uint64_t entries = 0;
  for (auto _ : state) {
    if (at + bytes.size() > kFileBytes) at = 0;
    parley::base::ensure((*file)->write_at(at, bytes) && (*file)->sync_data(), "the bytes are stored");
    at += bytes.size();
    entries += static_cast<std::uint64_t>(state.range(0));
  }
  count_entries(state, entries);
}
BENCHMARK(BM_raw_file)->Arg(1)->Arg(10)->Arg(100)->Arg(1000)->UseRealTime()->MinTime(2);

// Start with a log of so many entries.
void BM_open(benchmark::State& state) {
  const Folder folder;
  const auto files = parley::wal::make_posix_file_system();
  const auto entries = static_cast<std::uint64_t>(state.range(0));
  {
    auto [log, recovered] = open_log(*files, folder.path("log"));
    for (std::uint64_t next = 1; next <= entries; next += 1000) {
      parley::base::ensure(log.append(make_batch(next, 1000)).has_value(), "the batch is stored");
    }
  }
  for (auto _ : state) {
    const auto [log, recovered] = open_log(*files, folder.path("log"));
    parley::base::ensure(recovered.log.last == Index(entries), "all is there");
  }
}
BENCHMARK(BM_open)->Arg(1000)->Arg(100'000)->Arg(500'000)->UseRealTime()->Unit(benchmark::kMillisecond);

// What a lagging peer asks for: half a MiB from anywhere.
void BM_read(benchmark::State& state) {
  const Folder folder;
  const auto files = parley::wal::make_posix_file_system();
  auto [log, recovered] = open_log(*files, folder.path("log"));
  constexpr std::uint64_t kEntries = 200'000;
  for (std::uint64_t next = 1; next <= kEntries; next += 1000) {
    parley::base::ensure(log.append(make_batch(next, 1000)).has_value(), "the batch is stored");
  }
  std::mt19937_64 random(1);
  std::uint64_t entries = 0;
  for (auto _ : state) {
    const auto read = log.read(Index(1 + random() % (kEntries - 5000)), 512 * 1024);
    parley::base::ensure(read.has_value() && !read->empty(), "entries are read");
    entries += read->size();
  }
  count_entries(state, entries);
}
BENCHMARK(BM_read)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
