#include "parley/demo/demo.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <tuple>
#include <utility>

#include "parley/demo/acts.h"
#include "parley/demo/data_folder.h"
#include "parley/demo/nodes.h"
#include "parley/demo/picture.h"
#include "parley/demo/screen.h"
#include "parley/demo/script.h"
#include "parley/demo/status_poller.h"
#include "parley/demo/story.h"
#include "parley/demo/talk.h"
#include "parley/output.h"
#include "parley/signals.h"

namespace parley::demo {
namespace {

using cli::ExitCode;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kSayFor{4};
constexpr std::chrono::seconds kStopPatience{15};

enum class Phase : std::uint8_t { starting, talking, gathering, counting, stopping, over };

template <class T>
bool is_ready(const std::future<T>& future) {
  return future.valid() && future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

class Demo {
 public:
  Demo(const DemoOptions& options, const cli::Signals& signals, Nodes& nodes, std::optional<Script> script)
      : options_(options), signals_(signals), nodes_(nodes), acts_(nodes), script_(std::move(script)) {
    if (Screen::is_possible() && !options.json) {
      screen_.emplace();
    }
  }
  ~Demo() { stop_.request_stop(); }
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;

  ExitCode run();
  [[nodiscard]] const std::optional<Verdict>& verdict() const { return verdict_; }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] const Story& story() const { return story_; }

 private:
  void wait(Time until);
  void take_signals();
  void take_keys();
  void press(char key);
  void act(Act act);
  void tell(Event event);
  void step();
  void run_script();
  void begin_to_end();
  void give_up(const std::string& why);
  void say(std::string what);
  void show();
  [[nodiscard]] Picture picture(std::size_t columns) const;
  [[nodiscard]] std::pair<std::string, bool> banner() const;
  [[nodiscard]] std::string hint() const;

  const DemoOptions& options_;
  const cli::Signals& signals_;
  Nodes& nodes_;
  Acts acts_;
  std::optional<Script> script_;
  const Time begin_ = steady_clock::now();
  Phase phase_ = Phase::starting;
  Time phase_since_ = begin_;
  Time now_ = begin_;
  Story story_{begin_};
  int chosen_ = 0;
  std::string said_;
  Time said_at_{};
  Time printed_at_{};
  std::string trouble_;  // why it ended without a count
  std::optional<Verdict> verdict_;
  std::stop_source stop_;
  std::unique_ptr<Talk> talk_;
  std::unique_ptr<StatusPoller> poller_;
  std::future<std::expected<std::unique_ptr<Talk>, std::string>> opening_;
  std::future<std::expected<Verdict, std::string>> counting_;
  std::optional<Screen> screen_;  // given back first
};

ExitCode Demo::run() {
  if (auto started = nodes_.start_all(); !started) {
    trouble_ = started.error();
    return ExitCode::unavailable;
  }
  TalkOptions talk{.rate_per_s = options_.rate_per_s};
  for (int node = 1; node <= kNodes; ++node) {
    talk.servers.push_back(nodes_.addresses(node).client);
  }
  opening_ =
      std::async(std::launch::async, [talk, stop = stop_.get_token()] { return Talk::open(talk, stop); });
  while (phase_ != Phase::over) {
    wait(now_ + kColumn);
    now_ = steady_clock::now();
    take_signals();
    take_keys();
    for (Event& event : acts_.tick(now_)) {
      tell(std::move(event));
    }
    step();
    show();
  }
  screen_.reset();
  if (!verdict_) {
    return ExitCode::unavailable;
  }
  return verdict_->is_clean() && trouble_.empty() ? ExitCode::done : ExitCode::refused;
}

void Demo::wait(Time until) {
  std::array<pollfd, 2> files = {pollfd{.fd = signals_.file(), .events = POLLIN, .revents = 0},
                                 pollfd{.fd = screen_ ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}};
  const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
  ::poll(files.data(), files.size(), static_cast<int>(std::max<milliseconds::rep>(left.count(), 0)));
  if ((files[1].revents & (POLLHUP | POLLERR)) != 0) {
    give_up("the terminal is gone");
  }
}

void Demo::take_signals() {
  while (const auto signal = signals_.take()) {
    if (*signal == SIGWINCH) {
      continue;
    }
    const bool asks_kindly = *signal == SIGINT && phase_ == Phase::talking;
    if (asks_kindly) {
      begin_to_end();
    } else {
      give_up("it was interrupted");
    }
  }
}

void Demo::take_keys() {
  while (screen_ && phase_ != Phase::over) {
    const auto key = screen_->key();
    if (!key) {
      return;
    }
    if (*key == '\x1b') {  // an arrow or a function key: the rest of it means nothing either
      while (screen_->key()) {
      }
      return;
    }
    press(*key);
  }
}

void Demo::press(char key) {
  if (phase_ != Phase::talking) {
    return;
  }
  if (key >= '1' && key <= '0' + kNodes) {
    chosen_ = chosen_ == key - '0' ? 0 : key - '0';
    return;
  }
  const auto asked = act_of(key);
  if (asked && (!script_ || *asked == Act::quit)) {
    act(*asked);
  }
}

void Demo::act(Act what) {
  if (what == Act::quit) {
    begin_to_end();
    return;
  }
  auto event = acts_.perform(what, poller_->latest(), chosen_, now_);
  if (!event) {
    say("not done: " + event.error());
    return;
  }
  chosen_ = 0;
  said_.clear();
  tell(*std::move(event));
  if (script_) {
    script_->done(now_);
  }
}

void Demo::tell(Event event) {
  if (event.text.starts_with("!!")) {
    trouble_ = event.text;
  }
  story_.add(std::move(event));
  if (!screen_ && !options_.json) {
    cli::print_line(story_text(story_.lines().back()));
  }
}

// Every node is brought back first: what is counted is what all of them hold.
void Demo::begin_to_end() {
  if (phase_ == Phase::talking) {
    phase_ = Phase::gathering;
    phase_since_ = now_;
  }
}

void Demo::give_up(const std::string& why) {
  if (phase_ == Phase::over) {
    return;
  }
  stop_.request_stop();
  if (!verdict_) {
    trouble_ = why + "; nothing was counted";
  }
  phase_ = Phase::over;
}

void Demo::step() {
  if (phase_ == Phase::starting && is_ready(opening_)) {
    auto opened = opening_.get();
    if (!opened) {
      give_up(opened.error());
      return;
    }
    talk_ = *std::move(opened);
    std::vector<base::Address> clients;
    for (int node = 1; node <= kNodes; ++node) {
      clients.push_back(nodes_.addresses(node).client);
    }
    poller_ = std::make_unique<StatusPoller>(clients, talk_->token());
    talk_->start();
    phase_ = Phase::talking;
  } else if (phase_ == Phase::talking) {
    story_.measure(now_, [this](Time from, Time to) { return talk_->longest_silence(from, to); });
    run_script();
  } else if (phase_ == Phase::gathering && !acts_.is_restarting()) {
    if (auto started = nodes_.start_all(); !started) {
      give_up(started.error());
      return;
    }
    phase_ = Phase::counting;
    counting_ =
        std::async(std::launch::async, [this, stop = stop_.get_token()] { return talk_->count(stop); });
  } else if (phase_ == Phase::counting && is_ready(counting_)) {
    auto counted = counting_.get();
    if (!counted) {
      give_up(counted.error());
      return;
    }
    verdict_ = *std::move(counted);
    nodes_.ask_all_to_stop();
    phase_ = Phase::stopping;
    phase_since_ = now_;
  } else if (phase_ == Phase::stopping && (!nodes_.any_runs() || now_ - phase_since_ > kStopPatience)) {
    phase_ = Phase::over;
  }
}

void Demo::run_script() {
  if (!script_) {
    return;
  }
  const bool is_calm = !acts_.is_restarting() && leader_of(poller_->latest()) != 0 &&
                       talk_->longest_silence(now_ - milliseconds(300), now_) < milliseconds(300);
  if (const auto due = script_->due(now_, is_calm)) {
    act(*due);
  }
}

void Demo::say(std::string what) {
  said_ = std::move(what);
  said_at_ = now_;
}

std::pair<std::string, bool> Demo::banner() const {
  switch (phase_) {
    case Phase::starting:
      return {"five nodes meet, and found their cluster ...", false};
    case Phase::gathering:
    case Phase::counting:
      return {
          "everybody is brought back, and every message is counted at every node ... (Ctrl-C: leave at once)",
          false};
    case Phase::stopping:
    case Phase::over:
      return {"counted; all nodes stop ...", false};
    case Phase::talking:
      break;
  }
  if (!said_.empty() && now_ - said_at_ < kSayFor) {
    return {said_, true};
  }
  if (acts_.is_restarting()) {
    return {"all five nodes stop, and are started again ...", false};
  }
  const int here = nodes_.count(Condition::runs);
  if (here <= kNodes / 2) {
    return {fmt::format("{} of {} nodes are away: no majority, so nothing is acknowledged until one is back",
                        kNodes - here, kNodes),
            true};
  }
  if (chosen_ != 0) {
    return {fmt::format("node {}: k kills it, f freezes it, c cuts it off, b brings it back", chosen_),
            false};
  }
  return {fmt::format("look in: open the page, log in as ann or bob, password: {}", kPassword), false};
}

std::string Demo::hint() const {
  if (!script_ || phase_ != Phase::talking) {
    return phase_ == Phase::talking ? "" : " ";
  }
  const auto next = script_->next();
  return fmt::format("--auto: next, {}   (q: count and quit now)", next ? name_of(*next) : "nothing");
}

Picture Demo::picture(std::size_t columns) const {
  Picture picture{.title = "Parley demo: five nodes on this machine",
                  .age = std::chrono::duration_cast<std::chrono::seconds>(now_ - begin_),
                  .columns = std::vector<std::uint32_t>(columns, 0),
                  .newest_column = column_of(now_) - 1,
                  .usual_column = static_cast<std::uint32_t>(std::max(options_.rate_per_s / 10, 1.0)),
                  .marks = story_.marks(),
                  .story = story_.lines(),
                  .hint = hint()};
  std::tie(picture.banner, picture.banner_is_bad) = banner();
  const Statuses statuses = poller_ ? poller_->latest() : Statuses(kNodes);
  const int leader = leader_of(statuses);
  for (int node = 1; node <= kNodes; ++node) {
    picture.rows.push_back({.node = node,
                            .condition = nodes_.condition(node),
                            .status = statuses[static_cast<std::size_t>(node - 1)],
                            .page = nodes_.page(node),
                            .is_leader = node == leader,
                            .is_chosen = node == chosen_});
  }
  if (talk_) {
    Talk::Picture talk = talk_->picture(now_, columns);
    picture.counts = talk.counts;
    picture.columns = std::move(talk.columns);
    picture.last_second = talk.last_second;
    picture.last_words = std::move(talk.last_words);
  }
  return picture;
}

void Demo::show() {
  if (screen_) {
    const ScreenSize size = Screen::size();
    screen_->draw(lay_out(picture(chart_width(size)), size), size);
  } else if (!options_.json && now_ - printed_at_ >= std::chrono::seconds(1)) {
    printed_at_ = now_;
    cli::print_line(one_line(picture(10)));
  }
}

void print_verdict(const DemoOptions& options, const Demo& demo, const Verdict& verdict) {
  const Counts& counts = verdict.counts;
  if (options.json) {
    cli::print_line(fmt::format(
        R"({{"sent":{},"acknowledged":{},"refused":{},"unknownResolved":{},"lost":{},"doubled":{},)"
        R"("refusedYetThere":{},"outOfOrder":{}}})",
        counts.sent, counts.acknowledged, counts.refused, counts.resolved, verdict.lost, verdict.doubled,
        verdict.resurrected, verdict.misordered));
    return;
  }
  for (const StoryLine& line : demo.story().lines()) {
    cli::print_line(story_text(line));
  }
  cli::print_line(fmt::format("\nsent          {:>9}", grouped(counts.sent)));
  cli::print_line(fmt::format("acknowledged  {:>9}", grouped(counts.acknowledged)));
  cli::print_line(fmt::format("refused       {:>9}   nothing happened, and nothing of it is there",
                              grouped(counts.refused)));
  cli::print_line(fmt::format("unknown       {:>9}   asked again with the same request_id, and told",
                              grouped(counts.resolved)));
  cli::print_line(fmt::format("lost          {:>9}", grouped(verdict.lost)));
  cli::print_line(fmt::format("doubled       {:>9}", grouped(verdict.doubled)));
  if (verdict.resurrected + verdict.misordered != 0) {
    cli::print_line(
        fmt::format("refused, and yet there {}; out of order {}", verdict.resurrected, verdict.misordered));
  }
  for (const std::string& complaint : verdict.complaints) {
    cli::print_line("  " + complaint);
  }
  cli::print_line("\nCounted at all five nodes, and in what the other one was shown live.");
}

}  // namespace

ExitCode run_demo(const DemoOptions& options) {
  const cli::Signals signals;  // before any thread
  std::optional<Script> script;
  const bool is_auto = options.is_auto || !Screen::is_possible();
  if (is_auto) {
    auto parsed = Script::parse(options.script, milliseconds(static_cast<int>(options.pause_s * 1000)));
    if (!parsed) {
      cli::print_error(cli::usage_error(parsed.error()), options.json);
      return ExitCode::usage;
    }
    script = *std::move(parsed);
  }
  auto folder = DataFolder::open(options.data);
  if (!folder) {
    cli::print_error(cli::usage_error(folder.error()), options.json);
    return ExitCode::usage;
  }
  auto nodes =
      Nodes::open({.program = options.program, .folder = folder->path(), .namespaces = options.namespaces});
  if (!nodes) {
    cli::print_error(cli::usage_error(nodes.error()), options.json);
    return ExitCode::usage;
  }
  if (!options.json) {
    cli::print_line(fmt::format("page {}  data {}", (*nodes)->page(1), folder->path().string()));
  }
  Demo demo(options, signals, **nodes, std::move(script));
  const ExitCode code = demo.run();
  (*nodes)->kill_all();
  if (demo.verdict()) {
    print_verdict(options, demo, *demo.verdict());
  }
  if (!demo.trouble().empty()) {
    cli::print_trouble(demo.trouble());
  }
  if (code == ExitCode::refused) {
    folder->keep();
  }
  if (folder->is_kept()) {
    cli::print_trouble("data and logs of the nodes are in " + folder->path().string());
  }
  return code;
}

}  // namespace parley::demo
