#include "wal/segment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/ensure.h"

namespace parley::wal {
namespace {

constexpr std::size_t kDigits = 20;  // of the largest 64-bit number: names sort as numbers do
constexpr std::string_view kSuffixes[] = {".log", ".tail", ".tmp"};  // by SegmentName
constexpr std::uint64_t kFirstSizeBytes = 1024 * 1024;
constexpr std::size_t kFillBytes = 1024 * 1024;

// splitmix64: spreads a seed and a counter over 64 bits.
std::uint64_t spread(std::uint64_t value) {
  value += 0x9e37'79b9'7f4a'7c15;
  value = (value ^ (value >> 30)) * 0xbf58'476d'1ce4'e5b9;
  value = (value ^ (value >> 27)) * 0x94d0'49bb'1331'11eb;
  return value ^ (value >> 31);
}

}  // namespace

std::string segment_file_name(std::uint64_t number, SegmentName kind) {
  return fmt::format("{:020}{}", number, kSuffixes[static_cast<std::size_t>(kind)]);
}

std::optional<SegmentFileName> parse_segment_file_name(std::string_view name) {
  if (name.size() <= kDigits) return std::nullopt;
  std::uint64_t number = 0;
  const std::string digits(name.substr(0, kDigits));
  const char* const digits_end = digits.data() + digits.size();
  const auto [end, error] = std::from_chars(digits.data(), digits_end, number);
  if (error != std::errc() || end != digits_end || number == 0) return std::nullopt;
  const auto* const suffix = std::ranges::find(kSuffixes, name.substr(kDigits));
  if (suffix == std::end(kSuffixes)) return std::nullopt;
  return SegmentFileName{.number = number, .kind = static_cast<SegmentName>(suffix - std::begin(kSuffixes))};
}

SegmentMaker::SegmentMaker(FileSystem& files, Settings settings, std::uint64_t next_number)
    : files_(files), settings_(std::move(settings)), next_number_(next_number) {
  if (settings_.in_thread) thread_ = std::thread([this] { run(); });
}

SegmentMaker::~SegmentMaker() {
  {
    const std::scoped_lock lock(mutex_);
    stops_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void SegmentMaker::adopt(Segment segment) {
  const std::scoped_lock lock(mutex_);
  const std::uint64_t number = segment.header.number;
  unused_.emplace(number, std::move(segment));
}

void SegmentMaker::want(std::uint64_t number) {
  {
    const std::scoped_lock lock(mutex_);
    wanted_number_ = std::max(wanted_number_, number);
  }
  changed_.notify_all();
}

DiskResult<void> SegmentMaker::ready(std::uint64_t number) {
  std::unique_lock lock(mutex_);
  if (settings_.in_thread && !error_) {
    wanted_number_ = std::max(wanted_number_, number);
    changed_.notify_all();
    changed_.wait(lock, [&] { return error_ || next_number_ > number; });
  }
  if (next_number_ > number) {
    return {};
  }
  // What had run out may be there again by now; any other error of the disk is final.
  if (error_ && !error_->may_pass()) {
    return std::unexpected(*error_);
  }
  // With an error the thread rests, so that it makes nothing beside us.
  while (next_number_ <= number) {
    const std::uint64_t next = next_number_;
    lock.unlock();
    auto segment = make(next, usual_size_bytes(next));
    lock.lock();
    if (!segment) {
      return std::unexpected(segment.error());
    }
    unused_.emplace(next, std::move(*segment));
    next_number_ = next + 1;
  }
  error_.reset();
  changed_.notify_all();
  return {};
}

DiskResult<Segment> SegmentMaker::take(std::uint64_t number, std::uint64_t size_bytes) {
  std::unique_lock lock(mutex_);
  auto node = unused_.extract(number);
  base::ensure(!node.empty(), "a segment is made before it is taken");
  if (node.mapped().header.size_bytes >= size_bytes) {
    return std::move(node.mapped());
  }
  lock.unlock();
  // Takes the place of the smaller one by its rename.
  return make(number, size_bytes);
}

void SegmentMaker::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stops_ || (!error_ && next_number_ <= wanted_number_); });
    if (stops_) {
      return;
    }
    const std::uint64_t next = next_number_;
    lock.unlock();
    auto segment = make(next, usual_size_bytes(next));
    lock.lock();
    if (stops_) {
      return;
    }
    if (segment) {
      unused_.emplace(next, std::move(*segment));
      next_number_ = next + 1;
    } else {
      error_ = segment.error();
    }
    changed_.notify_all();
  }
}

std::uint64_t SegmentMaker::usual_size_bytes(std::uint64_t number) const {
  constexpr std::uint64_t kMostDoublings = 20;
  return std::min(settings_.largest_size_bytes, kFirstSizeBytes << std::min(number - 1, kMostDoublings));
}

DiskResult<Segment> SegmentMaker::make(std::uint64_t number, std::uint64_t size_bytes) {
  SegmentHeader header{.number = number,
                       .incarnation = settings_.incarnation,
                       .size_bytes = (size_bytes + 4095) / 4096 * 4096};
  {
    const std::scoped_lock lock(mutex_);
    header.salt = spread(settings_.seed ^ spread(number ^ spread(++salts_made_)));
  }
  const std::string temporary = settings_.folder + "/" + segment_file_name(number, SegmentName::temporary);
  auto file = files_.create(temporary);
  if (!file) {
    return std::unexpected(file.error());
  }
  auto done = fill(**file, header);
  if (done) done = files_.rename(temporary, settings_.folder + "/" + segment_file_name(number));
  if (!done) {
    // Give back what space it took. If even that fails the next start tries again.
    [[maybe_unused]] const auto removed = files_.remove(temporary);
    return std::unexpected(done.error());
  }
  if (const auto synced = files_.sync_folder(settings_.folder); !synced) {
    return std::unexpected(synced.error());
  }
  return Segment{.header = header, .file = std::move(*file)};
}

// Syncs every part by itself: one large sync would hold up the batches that are written meanwhile.
DiskResult<void> SegmentMaker::fill(File& file, const SegmentHeader& header) const {
  std::string part = encode(header);
  for (std::uint64_t at = 0; at < header.size_bytes && !is_stopping();) {
    part.resize(std::min<std::uint64_t>(kFillBytes, header.size_bytes - at), '\0');
    if (auto written = file.write_at(at, part); !written) {
      return written;
    }
    if (auto synced = file.sync_data(); !synced) {
      return synced;
    }
    at += part.size();
    part.assign(part.size(), '\0');
  }
  if (is_stopping()) {
    return std::unexpected(
        DiskError{.operation = "make a segment", .path = settings_.folder, .errno_value = ECANCELED});
  }
  return {};
}

bool SegmentMaker::is_stopping() const {
  const std::scoped_lock lock(mutex_);
  return stops_;
}

}  // namespace parley::wal
