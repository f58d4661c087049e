#include "sim/soak.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ensure.h"
#include "sim/run.h"

namespace parley::sim {
namespace {

constexpr std::uint64_t kSeedsPerChild = 50;

// What a child says, one line each: "seed N" before it runs N, "fail CHECK WHAT", and in the end "total …".
void say(int to, std::string_view line) {
  while (!line.empty()) {
    const ssize_t count = ::write(to, line.data(), line.size());
    base::ensure(count > 0 || errno == EINTR, "the parent listens");
    line.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
}

[[noreturn]] void run_seeds(Options options, std::uint64_t first, std::uint64_t last, int to) {
  SoakResult total;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    say(to, fmt::format("seed {}\n", seed));
    options.seed = seed;
    const RunResult result = run(options);
    if (result.violation) {
      say(to, fmt::format("fail {} {}\n", name(result.violation->check), result.violation->what));
      std::_Exit(0);
    }
    total.events += result.events;
    total.elections += result.elections;
    total.committed += result.committed;
    total.writes += result.writes;
    total.reads += result.reads;
    total.faults.add(result.faults);
  }
  std::string line = fmt::format("total {} {} {} {} {}", total.events, total.elections, total.committed,
                                 total.writes, total.reads);
  for (std::size_t i = 0; i < kFaults; ++i) {
    line += fmt::format(" {}", total.faults.of(static_cast<Fault>(i)));
  }
  say(to, line + "\n");
  std::_Exit(0);
}

struct Child {
  pid_t pid = 0;
  int from = -1;
  std::uint64_t seed = 0;  // that it runs
  std::uint64_t seeds = 0;
  std::string unread;
  bool has_finished = false;  // it said how it ended
};

class Soak {
 public:
  Soak(const SoakOptions& options, const std::function<void(const SoakResult&)>& progress)
      : options_(options), progress_(progress), next_(options.first_seed) {}

  SoakResult run() {
    while (true) {
      while (!result_.failure && next_ <= options_.last_seed && children_.size() < options_.processes) {
        begin();
      }
      if (children_.empty()) {
        return result_;
      }
      listen();
      if (progress_) {
        progress_(result_);
      }
    }
  }

 private:
  void begin() {
    const std::uint64_t first = next_;
    const std::uint64_t last = std::min(options_.last_seed, first + kSeedsPerChild - 1);
    int ends[2];
    base::ensure(::pipe(ends) == 0, "a pipe can be made");
    std::fflush(nullptr);  // or the child would print it again
    const pid_t pid = ::fork();
    base::ensure(pid >= 0, "a process can be made");
    if (pid == 0) {
      ::close(ends[0]);
      run_seeds(options_.run, first, last, ends[1]);
    }
    ::close(ends[1]);
    children_.push_back(Child{.pid = pid, .from = ends[0], .seed = first, .seeds = last - first + 1});
    next_ = last + 1;
  }

  void listen() {
    std::vector<pollfd> polled;
    for (const Child& child : children_) {
      polled.push_back(pollfd{child.from, POLLIN, 0});
    }
    if (::poll(polled.data(), polled.size(), -1) < 0) {
      return;  // interrupted
    }
    for (std::size_t i = polled.size(); i-- > 0;) {
      if (polled[i].revents != 0 && !hear(children_[i])) {
        end(children_[i]);
        children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
  }

  // False: the child has closed its end.
  bool hear(Child& child) {
    char buffer[4096];
    const ssize_t count = ::read(child.from, buffer, sizeof buffer);
    if (count <= 0) {
      return count < 0 && errno == EINTR;
    }
    child.unread.append(buffer, static_cast<std::size_t>(count));
    for (std::size_t end = child.unread.find('\n'); end != std::string::npos; end = child.unread.find('\n')) {
      take(child, child.unread.substr(0, end));
      child.unread.erase(0, end + 1);
    }
    return true;
  }

  void take(Child& child, const std::string& line) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "seed") {
      words >> child.seed;
    } else if (kind == "fail") {
      child.has_finished = true;
      Failure failure{.seed = child.seed};
      words >> failure.check;
      std::getline(words >> std::ws, failure.what);
      fail(std::move(failure));
    } else {
      child.has_finished = true;
      add_total(words);
      result_.seeds += child.seeds;
    }
  }

  void add_total(std::istringstream& words) {
    for (std::uint64_t* sum :
         {&result_.events, &result_.elections, &result_.committed, &result_.writes, &result_.reads}) {
      std::uint64_t value = 0;
      words >> value;
      *sum += value;
    }
    for (std::size_t i = 0; i < kFaults; ++i) {
      std::uint64_t value = 0;
      words >> value;
      result_.faults.add(static_cast<Fault>(i), value);
    }
  }

  void end(Child& child) {
    ::close(child.from);
    int status = 0;
    while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!child.has_finished) {
      fail(Failure{child.seed, "aborted", fmt::format("the process ended with status {:#x}", status)});
    }
  }

  void fail(Failure failure) {
    if (!result_.failure || failure.seed < result_.failure->seed) {
      result_.failure = std::move(failure);
    }
  }

  const SoakOptions& options_;
  const std::function<void(const SoakResult&)>& progress_;
  std::uint64_t next_;
  std::vector<Child> children_;
  SoakResult result_;
};

}  // namespace

SoakResult soak(const SoakOptions& options, const std::function<void(const SoakResult&)>& progress) {
  return Soak(options, progress).run();
}

std::string replay_command(const Options& options, std::uint64_t seed) {
  std::string command =
      fmt::format("parley_sim --nodes {} --steps {} --seed {} --trace", options.voters, options.steps, seed);
  if (options.plant != Plant::none) {
    command += fmt::format(" --plant {}", name(options.plant));
  }
  for (std::size_t i = 0; i < kChecks; ++i) {
    if (options.muted[i]) {
      command += fmt::format(" --mute {}", name(static_cast<Check>(i)));
    }
  }
  return command;
}

}  // namespace parley::sim
