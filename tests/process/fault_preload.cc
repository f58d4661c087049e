// A library that is loaded in front of the C library of one node: it shifts the node's wall clock, and makes
// syncs of its log fail or stall. It also keeps what a power failure would bring back: for each page of a log
// file that was written and not yet synced, its bytes before. See fault_page.h.
//
// The wall clock is not just what clock_gettime tells: gRPC waits on the wall clock (abseil's futex with
// FUTEX_CLOCK_REALTIME), and the kernel knows nothing of the shift. Such waits are shifted too, and end early
// now and then, as waits may, so that a jump is seen by who waits already, as the kernel would do it.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/process/fault_page.h"

namespace {

using parley::testing::FaultPage;
using parley::testing::kFaultPageSize_bytes;
using parley::testing::LogSync;

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kSlice_ns = 50 * kNsPerMs;

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// Of the kernel itself, without dlsym, which allocates: a sanitizer's allocator asks for the time while it
// holds its own lock, from the first allocation of the process on.
int kernel_clock_gettime(clockid_t clock, timespec* time) {
#ifdef __x86_64__
  long code = SYS_clock_gettime;
  asm volatile("syscall"  // NOLINT(hicpp-no-assembler): syscall() is shifted below
               : "+a"(code)
               : "D"(clock), "S"(time)
               : "rcx", "r11", "memory");
  if (code < 0) {
    errno = static_cast<int>(-code);
    return -1;
  }
  return 0;
#else
  static auto* const function = next<int(clockid_t, timespec*)>("clock_gettime");
  return function(clock, time);
#endif
}

FaultPage* map_page() {
  const char* const path = std::getenv(parley::testing::kFaultPageVariable);
  const int file = path == nullptr ? -1 : ::open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) {
    return nullptr;
  }
  void* const memory = ::mmap(nullptr, sizeof(FaultPage), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<FaultPage*>(memory);
}

// Nothing: the program was started without faults.
FaultPage* page() {
  static FaultPage* const mapped = map_page();
  return mapped;
}

std::int64_t offset_ns() { return page() == nullptr ? 0 : page()->wall_offset_ms.load() * kNsPerMs; }
bool is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }
std::int64_t to_ns(const timespec& time) { return time.tv_sec * kNsPerSecond + time.tv_nsec; }
timespec to_timespec(std::int64_t ns) { return {.tv_sec = ns / kNsPerSecond, .tv_nsec = ns % kNsPerSecond}; }
std::int64_t kernel_wall_ns() {
  timespec now{};
  kernel_clock_gettime(CLOCK_REALTIME, &now);
  return to_ns(now);
}

// The kernel's time at which a wait until `until`, of the node's clock, is looked at again.
struct Slice {
  timespec until;
  bool is_last;
};
Slice slice_of(const timespec& until) {
  const std::int64_t wanted_ns = std::max<std::int64_t>(to_ns(until) - offset_ns(), 0);
  const std::int64_t longest_ns = kernel_wall_ns() + kSlice_ns;
  return {.until = to_timespec(std::min(wanted_ns, longest_ns)), .is_last = wanted_ns <= longest_ns};
}

// ---- the log's files ----

// Whether it is one, by the folder that it is in.
bool is_log_file(int file) {
  std::array<char, PATH_MAX> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  return size > 0 && std::string_view(path.data(), static_cast<std::size_t>(size)).contains("/log/");
}

struct Unsynced {
  std::string folder;
  std::string prefix;  // of the file's pages; the number of the page follows

  [[nodiscard]] static Unsynced of(int file) {
    const char* const folder = std::getenv(parley::testing::kUnsyncedVariable);
    struct stat status{};
    if (folder == nullptr || !is_log_file(file) || ::fstat(file, &status) != 0) {
      return {};
    }
    return {.folder = folder, .prefix = std::to_string(status.st_ino) + "-"};
  }
  [[nodiscard]] bool is_kept() const { return !folder.empty(); }
  [[nodiscard]] std::string path(std::uint64_t number, const char* kind) const {
    return folder + "/" + prefix + std::to_string(number) + kind;
  }

  // Before a write: the page as the disk has it, unless that is kept already. "dirty": the next sync writes
  // it.
  void keep(int file, std::uint64_t number) const {
    const std::string dirty = path(number, ".dirty");
    if (::rename(path(number, ".clean").c_str(), dirty.c_str()) == 0 || ::access(dirty.c_str(), F_OK) == 0) {
      return;
    }
    std::array<char, kFaultPageSize_bytes> bytes{};
    const auto at = static_cast<off_t>(number * kFaultPageSize_bytes);
    if (::pread(file, bytes.data(), bytes.size(), at) != static_cast<ssize_t>(bytes.size())) {
      return;  // the file grows: it is still being made
    }
    // Whole or not at all: the node may be killed in the middle of this.
    const std::string unfinished = path(number, ".unfinished");
    const int copy = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (::write(copy, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) {
      ::rename(unfinished.c_str(), dirty.c_str());
    }
    ::close(copy);
  }

  // After a sync: what it wrote is on the disk. One that failed has written nothing, and calls it clean.
  void synced(bool worked) const {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with(prefix) || !name.ends_with(".dirty")) {
        continue;
      }
      if (worked) {
        ::unlink(entry.path().c_str());
      } else {
        std::filesystem::rename(entry.path(),
                                std::filesystem::path(entry.path()).replace_extension(".clean"));
      }
    }
  }
};

ssize_t write_at(int file, const void* bytes, std::size_t size, off_t offset) {
  static auto* const real = next<ssize_t(int, const void*, std::size_t, off_t)>("pwrite");
  if (const Unsynced unsynced = Unsynced::of(file); unsynced.is_kept() && size > 0) {
    const auto first = static_cast<std::uint64_t>(offset) / kFaultPageSize_bytes;
    const auto last = (static_cast<std::uint64_t>(offset) + size - 1) / kFaultPageSize_bytes;
    for (std::uint64_t number = first; number <= last; ++number) {
      unsynced.keep(file, number);
    }
  }
  return real(file, bytes, size, offset);
}

}  // namespace

// ---- what stands in front of the C library's ----
// NOLINTBEGIN(cert-dcl37-c,cert-dcl51-cpp,bugprone-reserved-identifier): its names
extern "C" {

int clock_gettime(clockid_t clock, timespec* time) {
  const int code = kernel_clock_gettime(clock, time);
  if (code == 0 && is_wall(clock)) {
    *time = to_timespec(to_ns(*time) + offset_ns());
  }
  return code;
}

int gettimeofday(timeval* time, void* /*zone*/) {
  const timespec now = to_timespec(kernel_wall_ns() + offset_ns());
  *time = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
  return 0;
}

std::time_t time(std::time_t* time) {
  const std::time_t seconds = (kernel_wall_ns() + offset_ns()) / kNsPerSecond;
  if (time != nullptr) {
    *time = seconds;
  }
  return seconds;
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* until) {
  static auto* const real =
      next<int(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*)>("pthread_cond_clockwait");
  if (clock != CLOCK_REALTIME) {
    return real(condition, mutex, clock, until);
  }
  const Slice slice = slice_of(*until);
  const int code = real(condition, mutex, clock, &slice.until);
  return code == ETIMEDOUT && !slice.is_last ? 0 : code;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
  constexpr unsigned kIsMonotonic = 2;  // glibc: the clock that the condition was made for
  const bool is_monotonic = (condition->__data.__wrefs & kIsMonotonic) != 0;
  return pthread_cond_clockwait(condition, mutex, is_monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME, until);
}

// NOLINTBEGIN(cppcoreguidelines-pro-type-vararg): as the C library declares it
long syscall(long number, ...) {
  static auto* const real = next<long(long, ...)>("syscall");
  std::array<long, 6> words{};
  va_list arguments;
  va_start(arguments, number);
  for (long& word : words) {
    word = va_arg(arguments, long);
  }
  va_end(arguments);
  const auto* const until =
      reinterpret_cast<const timespec*>(words[3]);  // NOLINT(performance-no-int-to-ptr): as the kernel does
  const bool waits_on_wall =
      number == SYS_futex && until != nullptr && (words[1] & FUTEX_CLOCK_REALTIME) != 0;
  if (!waits_on_wall) {
    return real(number, words[0], words[1], words[2], words[3], words[4], words[5]);
  }
  const Slice slice = slice_of(*until);
  const long code = real(number, words[0], words[1], words[2], &slice.until, words[4], words[5]);
  if (code == -1 && errno == ETIMEDOUT && !slice.is_last) {
    errno = EINTR;
  }
  return code;
}
// NOLINTEND(cppcoreguidelines-pro-type-vararg)

ssize_t pwrite(int file, const void* bytes, std::size_t size, off_t offset) {
  return write_at(file, bytes, size, offset);
}
ssize_t pwrite64(int file, const void* bytes, std::size_t size, off_t offset) {
  return write_at(file, bytes, size, offset);
}

int fdatasync(int file) {
  static auto* const real = next<int(int)>("fdatasync");
  if (page() == nullptr || !is_log_file(file)) {
    return real(file);
  }
  while (page()->log_sync == LogSync::stalls) {
    page()->is_stalled = 1;
    const timespec moment = {.tv_sec = 0, .tv_nsec = kNsPerMs};
    ::clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, nullptr);
  }
  const bool works = page()->log_sync != LogSync::fails;
  if (const Unsynced unsynced = Unsynced::of(file); unsynced.is_kept()) {
    unsynced.synced(works);
  }
  if (!works) {
    errno = EIO;
    return -1;
  }
  return real(file);
}
}
// NOLINTEND(cert-dcl37-c,cert-dcl51-cpp,bugprone-reserved-identifier)
