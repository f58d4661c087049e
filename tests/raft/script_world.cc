#include "script_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "raft/codec.h"
#include "raft/describe.h"
#include "raft/index_math.h"
#include "raft/invariants.h"
#include "raft/machine.h"

namespace parley::raft::testing {
namespace {

// "3" or "3@2": id and incarnation (1 where it is not said).
Member parse_member(const std::string& word) {
  const std::size_t at = word.find('@');
  return {.id = NodeId(static_cast<std::uint32_t>(std::stoul(word.substr(0, at)))),
          .incarnation = Incarnation(at == std::string::npos ? 1 : std::stoull(word.substr(at + 1)))};
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

std::vector<Member> parse_members(const std::string& text) {
  std::vector<Member> members;
  for (const std::string& word : split(text, ',')) members.push_back(parse_member(word));
  return members;
}

Configuration parse_configuration(const Command& command) {
  return {.voters = parse_members(command.text("voters", "")),
          .learners = parse_members(command.text("learners", "")),
          .leaves_joint_by_itself = command.text("auto", "true") == "true"};
}

FlowConfig parse_flow(const Command& command, FlowConfig flow) {
  flow.max_append_entries = command.number("max_append_entries", flow.max_append_entries);
  flow.max_append_size_bytes = command.number("max_append_size_bytes", flow.max_append_size_bytes);
  flow.max_inflight_appends = command.number("max_inflight_appends", flow.max_inflight_appends);
  flow.max_inflight_bytes = command.number("max_inflight_bytes", flow.max_inflight_bytes);
  flow.max_uncommitted_bytes = command.number("max_uncommitted_bytes", flow.max_uncommitted_bytes);
  flow.max_cached_bytes = command.number("max_cached_bytes", flow.max_cached_bytes);
  flow.max_unapplied_bytes = command.number("max_unapplied_bytes", flow.max_unapplied_bytes);
  flow.max_pending_reads = command.number("max_pending_reads", flow.max_pending_reads);
  return flow;
}

}  // namespace

Command Command::parse(const std::string& line) {
  Command command;
  std::istringstream in(line);
  in >> command.name;
  for (std::string word; in >> word;) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      command.words.push_back(word);
    } else {
      command.options[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  return command;
}

std::string Command::text(const std::string& key, const std::string& otherwise) const {
  const auto found = options.find(key);
  return found == options.end() ? otherwise : found->second;
}

std::uint64_t Command::number(const std::string& key, std::uint64_t otherwise) const {
  const auto found = options.find(key);
  return found == options.end() ? otherwise : std::stoull(found->second);
}

void ScriptDisk::store(const StorageBatch& batch) {
  if (batch.hard_state) hard_state = *batch.hard_state;
  if (batch.installed) {
    const bool keeps = std::ranges::any_of(entries_, [&](const Entry& entry) {
      return entry.index == batch.installed->index && entry.term == batch.installed->term;
    });
    if (!keeps) entries_.clear();
    compact(*batch.installed);
  }
  for (const Entry& entry : batch.entries) {
    std::erase_if(entries_, [&](const Entry& old) { return old.index >= entry.index; });
    entries_.push_back(entry);
  }
}

void ScriptDisk::compact(const CompactionPoint& point) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.index <= point.index; });
  compaction = point;
}

RecoveredLog ScriptDisk::recover(std::size_t cached_entries) const {
  RecoveredLog log{.hard_state = hard_state, .compaction = compaction, .last = compaction.index};
  for (const Entry& entry : entries_) {
    if (log.terms.empty() || log.terms.back().term != entry.term) {
      log.terms.push_back({.first = entry.index, .term = entry.term});
    }
    if (auto brought = configuration_of(entry); brought && *brought) {
      log.configurations.push_back({.index = entry.index, .configuration = **brought});
    }
    log.last = entry.index;
  }
  const std::size_t count = std::min(cached_entries, entries_.size());
  log.entries.assign(entries_.end() - static_cast<std::ptrdiff_t>(count), entries_.end());
  return log;
}

std::vector<Entry> ScriptDisk::read(Index first, std::size_t max_size_bytes) const {
  std::vector<Entry> found;
  std::size_t size_bytes = 0;
  for (const Entry& entry : entries_) {
    if (entry.index < first) continue;
    size_bytes += entry_size_bytes(entry);
    if (!found.empty() && size_bytes > max_size_bytes) break;
    found.push_back(entry);
  }
  if (!found.empty() && found.front().index != first) found.clear();
  return found;
}

const std::map<std::string, ScriptWorld::Handler>& ScriptWorld::handlers() {
  static const std::map<std::string, Handler> kHandlers = {
      {"cluster", &ScriptWorld::cluster},
      {"add-node", &ScriptWorld::add_node},
      {"set-log", &ScriptWorld::set_log},
      {"crash", &ScriptWorld::crash},
      {"restart", &ScriptWorld::restart},
      {"campaign", &ScriptWorld::call},
      {"forget-leader", &ScriptWorld::call},
      {"step-down", &ScriptWorld::call},
      {"may-campaign", &ScriptWorld::call},
      {"commit-news-may-wait", &ScriptWorld::call},
      {"transfer", &ScriptWorld::call},
      {"read", &ScriptWorld::call},
      {"found", &ScriptWorld::call},
      {"propose", &ScriptWorld::propose},
      {"propose-configuration", &ScriptWorld::propose_configuration},
      {"tick", &ScriptWorld::tick},
      {"compact", &ScriptWorld::compact},
      {"install", &ScriptWorld::install},
      {"fetch", &ScriptWorld::fetch},
      {"output", &ScriptWorld::output},
      {"persist", &ScriptWorld::persist},
      {"report-persisted", &ScriptWorld::report_persisted},
      {"apply", &ScriptWorld::apply},
      {"deliver", &ScriptWorld::deliver},
      {"drop", &ScriptWorld::drop},
      {"reorder", &ScriptWorld::reorder},
      {"duplicate", &ScriptWorld::duplicate},
      {"isolate", &ScriptWorld::isolate},
      {"heal", &ScriptWorld::isolate},
      {"stabilize", &ScriptWorld::stabilize},
      {"status", &ScriptWorld::show},
      {"log", &ScriptWorld::show},
      {"progress", &ScriptWorld::show},
      {"disk", &ScriptWorld::show},
      {"applied", &ScriptWorld::show},
      {"network", &ScriptWorld::show},
  };
  return kHandlers;
}

std::string ScriptWorld::run(const std::string& line) {
  const Command command = Command::parse(line);
  const auto handler = handlers().find(command.name);
  if (handler == handlers().end()) throw std::invalid_argument("no such command: " + command.name);
  std::string answer = (this->*handler->second)(command);
  if (command.has("quiet")) answer.clear();
  return answer + check();
}

ScriptNode& ScriptWorld::node(const std::string& word) {
  const auto found = nodes_.find(word);
  if (found == nodes_.end()) throw std::invalid_argument("no such node: " + word);
  return found->second;
}

Core& ScriptWorld::core(const std::string& word) {
  ScriptNode& named = node(word);
  if (!named.core) throw std::invalid_argument("crashed: " + word);
  return *named.core;
}

std::vector<std::string> ScriptWorld::names(const Command& command) const {
  if (!command.words.empty()) return command.words;
  std::vector<std::string> all;
  for (const auto& [name, node] : nodes_) {
    if (node.core) all.push_back(name);
  }
  return all;
}

// ---- making worlds ----

// cluster voters=1,2,3 [learners=4] [election=N heartbeat=N max_...=N cached=N]: founded, entry 1 everywhere.
std::string ScriptWorld::cluster(const Command& command) {
  defaults_.timing.election_timeout_ticks = static_cast<std::uint32_t>(command.number("election", 5));
  defaults_.timing.heartbeat_ticks = static_cast<std::uint32_t>(command.number("heartbeat", 1));
  defaults_.flow = parse_flow(command, defaults_.flow);
  cached_entries_ = command.number("cached", cached_entries_);
  const Configuration configuration = parse_configuration(command);
  Founding founding{.configuration = configuration, .state_seed = std::string(32, 's')};
  founding.configuration.leaves_joint_by_itself = false;
  for (const std::string& name :
       split(command.text("voters", "") + "," + command.text("learners", ""), ',')) {
    ScriptNode& made = nodes_[name];
    made.config = defaults_;
    made.config.self = parse_member(name);
    if (!command.has("empty")) {
      made.disk.hard_state.term = Term(1);
      made.disk.store({.entries = {{.index = Index(1),
                                    .term = Term(1),
                                    .kind = EntryKind::founding,
                                    .data = Payload(encode(founding))}}});
      made.applied = made.disk.entries();
      made.applied_index = Index(1);
      committed_.emplace(Index(1), made.applied.front());
    }
    start(made, 1);
  }
  return "";
}

// add-node 4: a process with an empty folder.
std::string ScriptWorld::add_node(const Command& command) {
  for (const std::string& name : command.words) {
    ScriptNode& made = nodes_[name];
    made.config = defaults_;
    made.config.self = parse_member(name);
    start(made, 1);
  }
  return "";
}

// set-log 1 terms=1,1,2 [term=3]: the log on disk after entry 1, one command per term; then a restart.
std::string ScriptWorld::set_log(const Command& command) {
  ScriptNode& changed = node(command.words.at(0));
  StorageBatch batch{.hard_state = HardState{}};
  Index index(1);
  for (const std::string& term : split(command.text("terms", ""), ',')) {
    index = index.next();
    batch.entries.push_back(
        {.index = index, .term = Term(std::stoull(term)), .data = Payload(fmt::format("t{}", term))});
    batch.hard_state->term = batch.entries.back().term;
  }
  batch.hard_state->term =
      Term(command.number("term", std::max<std::uint64_t>(1, batch.hard_state->term.value())));
  changed.disk.store(batch);
  before_.erase(command.words.at(0));
  start(changed, 1);
  return "";
}

void ScriptWorld::start(ScriptNode& started, std::uint64_t seed) const {
  started.config.seed = seed;
  started.writes.clear();
  started.fetches.clear();
  started.snapshot.reset();
  started.core.emplace(started.config, started.disk.recover(cached_entries_), started.applied_index);
}

// The oldest batch reaches the disk.
void ScriptWorld::store(ScriptNode& node) {
  node.disk.store(node.writes.front());
  if (node.writes.front().installed) node.applied_before_install.reset();
  node.writes.pop_front();
}

// crash 1 [stored=N]: what was not stored is gone, and so is what the process knew. The first N batches had
// reached the disk without anybody having heard of it.
std::string ScriptWorld::crash(const Command& command) {
  for (const std::string& name : command.words) {
    ScriptNode& crashing = node(name);
    for (std::uint64_t left = command.number("stored", 0); left > 0 && !crashing.writes.empty(); --left) {
      store(crashing);
    }
    if (crashing.applied_before_install) {
      crashing.applied = *std::exchange(crashing.applied_before_install, std::nullopt);
      crashing.applied_index = crashing.applied.empty() ? Index() : crashing.applied.back().index;
    }
    crashing.core.reset();
    crashing.writes.clear();
    before_.erase(name);
  }
  return "";
}

// restart 1 [lose=N]: from its disk; the state machine, which commits lazily, has lost the last N entries.
std::string ScriptWorld::restart(const Command& command) {
  for (const std::string& name : command.words) {
    ScriptNode& started = node(name);
    const std::uint64_t lost = std::min(command.number("lose", 0), started.applied_index.value());
    started.applied_index =
        std::max(started.disk.compaction.index, Index(started.applied_index.value() - lost));
    std::erase_if(started.applied, [&](const Entry& entry) { return entry.index > started.applied_index; });
    before_.erase(name);
    start(started, started.config.seed + 1);
  }
  return "";
}

// ---- calls of a core ----

std::string ScriptWorld::call(const Command& command) {
  Core& called = core(command.words.at(0));
  if (command.name == "campaign") called.campaign();
  if (command.name == "forget-leader") called.forget_leader();
  if (command.name == "step-down") called.step_down();
  if (command.name == "commit-news-may-wait")
    called.commit_news_may_wait(command.text("allowed", "true") == "true");
  if (command.name == "may-campaign") called.may_campaign(command.text("allowed", "true") == "true");
  if (command.name == "transfer") called.transfer_leadership(parse_member(command.text("to", "")));
  if (command.name == "read") {
    const std::uint64_t id = command.number("id", 1);
    reads_[{command.words.at(0), id}] = committed_.empty() ? Index() : committed_.rbegin()->first;
    called.read(id);
  }
  if (command.name == "found") {
    Configuration configuration = parse_configuration(command);
    configuration.leaves_joint_by_itself = false;
    called.found({.configuration = configuration, .state_seed = std::string(32, 's')});
  }
  return "";
}

// propose 1 text [count=N size=N]
std::string ScriptWorld::propose(const Command& command) {
  const std::string name = command.words.size() > 1 ? command.words.at(1) : "x";
  std::string answer;
  const std::uint64_t count = command.number("count", 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string text = count > 1 ? fmt::format("{}{}", name, i) : name;
    text.resize(std::max<std::size_t>(text.size(), command.number("size", 0)), '.');
    const auto index = core(command.words.at(0)).propose(Payload(text));
    if (!index) answer += "refused: " + describe(index.error()) + "\n";
  }
  return answer;
}

std::string ScriptWorld::propose_configuration(const Command& command) {
  const auto index = core(command.words.at(0)).propose_configuration(parse_configuration(command));
  return index ? "" : "refused: " + index.error() + "\n";
}

// tick 1 [times=N]
std::string ScriptWorld::tick(const Command& command) {
  for (const std::string& name : names(command)) {
    for (std::uint64_t i = 0; i < command.number("times", 1); ++i) core(name).tick();
  }
  return "";
}

// compact 1 [index=N]: the state machine's state is synced up to there (to what it has applied).
std::string ScriptWorld::compact(const Command& command) {
  ScriptNode& compacting = node(command.words.at(0));
  const Index index(command.number("index", compacting.applied_index.value()));
  if (index <= compacting.disk.compaction.index) return "";
  const CompactionPoint point{.index = index,
                              .term = compacting.core->term_at(index).value(),
                              .configuration = compacting.core->configuration_at(index)};
  compacting.disk.compact(point);
  compacting.core->compacted(point);
  return "";
}

// install 2: the snapshot that was wanted, from the node that offered it, has come in whole.
std::string ScriptWorld::install(const Command& command) {
  ScriptNode& installing = node(command.words.at(0));
  if (!installing.snapshot) return "nothing was offered\n";
  const SnapshotWanted wanted = *std::exchange(installing.snapshot, std::nullopt);
  if (!installing.core->install(wanted.point)) return "not ahead of what is committed here\n";
  std::erase_if(installing.applied,
                [&](const Entry& entry) { return entry.index > installing.applied_index; });
  if (!installing.applied_before_install) installing.applied_before_install = installing.applied;
  installing.applied.clear();
  for (const auto& [index, entry] : committed_) {
    if (index <= wanted.point.index) installing.applied.push_back(entry);
  }
  installing.applied_index = wanted.point.index;
  return "";
}

// fetch 1 [hold=true|false]: answers what the core wants read from disk.
std::string ScriptWorld::fetch(const Command& command) {
  ScriptNode& reading = node(command.words.at(0));
  if (command.has("hold")) reading.holds_fetches = command.text("hold", "") == "true";
  for (const FetchRequest& request : std::exchange(reading.fetches, {})) {
    reading.core->fetched(request, reading.disk.read(request.first, request.max_size_bytes));
  }
  return "";
}

// ---- moving things ----

std::string ScriptWorld::take_messages(ScriptNode& from, Output& output) {
  std::string answer;
  for (Message& message : output.messages) {
    answer += "  send " + describe(message) + "\n";
    if (!isolated_.contains(from.config.self.id) && !isolated_.contains(message.to.id)) {
      network_.push_back(std::move(message));
    }
  }
  return answer;
}

std::string ScriptWorld::take_output(ScriptNode& from) {
  Output output = from.core->take_output();
  if (output.empty()) return "";
  std::string answer = describe(from.config.self) + " output:\n";
  if (output.leadership_changed) {
    const auto leader = from.core->leader();
    answer += fmt::format("  {} term={} leader={}\n", describe(from.core->role()), from.core->term().value(),
                          leader ? describe(*leader) : "none");
  }
  if (output.store) {
    answer += "  store " + describe(*output.store) + "\n";
    from.writes.push_back(std::move(*output.store));
  }
  answer += take_messages(from, output);
  for (const Entry& entry : output.committed) {
    answer += "  committed " + describe(entry) + "\n";
    const auto [known, is_new] = committed_.emplace(entry.index, entry);
    if (!is_new && known->second != entry) answer += "  BROKEN: two entries were committed at one index\n";
    from.applied.push_back(entry);
  }
  if (!output.committed.empty() && !from.holds_apply) {
    from.applied_index = output.committed.back().index;
    from.core->applied(from.applied_index);
  }
  for (const ReadReady& read : output.reads) {
    const Index acknowledged = reads_[{describe(from.config.self).substr(1), read.read_id}];
    if (read.index && *read.index < acknowledged) answer += "  BROKEN: a stale read\n";
    answer += read.index ? fmt::format("  read {} at {}\n", read.read_id, read.index->value())
                         : fmt::format("  read {} failed\n", read.read_id);
  }
  for (FetchRequest& request : output.fetches) {
    answer += fmt::format("  fetch from {} for {}\n", request.first.value(), describe(request.peer));
    from.fetches.push_back(std::move(request));
  }
  if (output.snapshot) {
    answer += fmt::format("  wants snapshot {}/{} from {}\n", output.snapshot->point.index.value(),
                          output.snapshot->point.term.value(), describe(output.snapshot->from));
    from.snapshot = std::move(output.snapshot);
  }
  return answer;
}

std::string ScriptWorld::output(const Command& command) {
  std::string answer;
  for (const std::string& name : names(command)) answer += take_output(node(name));
  return answer.empty() ? "nothing\n" : answer;
}

// persist 1 [count=N]: the disk finishes N batches (all), one after another.
std::string ScriptWorld::persist(const Command& command) {
  std::string answer;
  for (const std::string& name : names(command)) {
    ScriptNode& writing = node(name);
    for (std::uint64_t left = command.number("count", writing.writes.size()); left > 0; --left) {
      const std::uint64_t number = writing.writes.front().number;
      store(writing);
      writing.core->persisted(number);
      answer += fmt::format("{} stored #{}\n", describe(writing.config.self), number);
    }
  }
  return answer;
}

// report-persisted 1 number=N: the same news again, or late.
std::string ScriptWorld::report_persisted(const Command& command) {
  core(command.words.at(0)).persisted(command.number("number", 0));
  return "";
}

// apply 1 [hold=true|false] [up_to=N]: when the state machine says what it has applied.
std::string ScriptWorld::apply(const Command& command) {
  ScriptNode& applying = node(command.words.at(0));
  if (command.has("hold")) applying.holds_apply = command.text("hold", "") == "true";
  const Index given = applying.core->machine().unapplied.given();
  if (command.has("up_to")) applying.applied_index = Index(command.number("up_to", 0));
  if (!applying.holds_apply) applying.applied_index = given;
  applying.core->applied(applying.applied_index);
  return "";
}

bool ScriptWorld::matches(const Message& message, const Command& command) const {
  if (command.has("from") && message.from != parse_member(command.text("from", ""))) return false;
  if (command.has("to") && message.to != parse_member(command.text("to", ""))) return false;
  if (command.has("kind")) {
    const std::string words = describe(message);
    const std::string kind = " " + command.text("kind", "") + " ";
    return (words + " ").find(kind) != std::string::npos;
  }
  return true;
}

// deliver [from=] [to=] [kind=] [count=N]: hands messages over, in order.
std::string ScriptWorld::deliver(const Command& command) {
  std::string answer;
  std::uint64_t left = command.number("count", network_.size());
  std::deque<Message> waiting = std::exchange(network_, {});
  for (Message& message : waiting) {
    const std::string name = describe(message.to).substr(1);
    if (left == 0 || !matches(message, command)) {
      network_.push_back(std::move(message));
      continue;
    }
    --left;
    answer += "deliver " + describe(message) + "\n";
    if (const auto to = nodes_.find(name); to != nodes_.end() && to->second.core)
      to->second.core->step(message);
  }
  return answer;
}

std::string ScriptWorld::drop(const Command& command) {
  std::string answer;
  std::uint64_t left = command.number("count", network_.size());
  std::erase_if(network_, [&](const Message& message) {
    if (left == 0 || !matches(message, command)) return false;
    --left;
    answer += "drop " + describe(message) + "\n";
    return true;
  });
  return answer;
}

// reorder [from=] [to=] [kind=]: the messages that match come in the reverse order.
std::string ScriptWorld::reorder(const Command& command) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < network_.size(); ++i) {
    if (matches(network_[i], command)) places.push_back(i);
  }
  for (std::size_t i = 0; i < places.size() / 2; ++i) {
    std::swap(network_[places[i]], network_[places[places.size() - 1 - i]]);
  }
  return fmt::format("{} reversed\n", places.size());
}

// duplicate [from=] [to=] [kind=]: every message that matches comes once more, later.
std::string ScriptWorld::duplicate(const Command& command) {
  std::vector<Message> copies;
  std::ranges::copy_if(network_, std::back_inserter(copies),
                       [&](const Message& message) { return matches(message, command); });
  network_.insert(network_.end(), copies.begin(), copies.end());
  return fmt::format("{} doubled\n", copies.size());
}

// isolate 1: what it sends and what is sent to it is lost. heal: no more.
std::string ScriptWorld::isolate(const Command& command) {
  if (command.name == "heal") isolated_.clear();
  for (const std::string& name : command.words) {
    const NodeId id = node(name).config.self.id;
    isolated_.insert(id);
    std::erase_if(network_,
                  [&](const Message& message) { return message.from.id == id || message.to.id == id; });
  }
  return "";
}

// stabilize [nodes...] [until=leader]: outputs, disks and deliveries between these nodes, until nothing
// moves, or one of them that did not lead does, before its first word.
std::string ScriptWorld::stabilize(const Command& command) {
  std::string answer;
  const std::vector<std::string> among = names(command);
  const auto is_among = [&](const Message& message) {
    return std::ranges::find(among, describe(message.to).substr(1)) != among.end();
  };
  const auto leads = [&](const std::string& name) { return core(name).role() == Role::leader; };
  const auto led = std::ranges::count_if(among, leads);
  for (int round = 0; round < 1000; ++round) {
    if (command.has("until") && std::ranges::count_if(among, leads) > led) return answer;
    bool moved = false;
    for (const std::string& name : among) {
      ScriptNode& moving = node(name);
      const std::string said = take_output(moving);
      moved |= !said.empty();
      answer += said;
      while (!moving.writes.empty()) {
        const std::uint64_t number = moving.writes.front().number;
        store(moving);
        moving.core->persisted(number);
      }
      if (moving.holds_fetches) continue;
      for (const FetchRequest& request : std::exchange(moving.fetches, {})) {
        moved = true;
        moving.core->fetched(request, moving.disk.read(request.first, request.max_size_bytes));
      }
    }
    std::deque<Message> waiting = std::exchange(network_, {});
    for (Message& message : waiting) {
      if (!is_among(message)) {
        network_.push_back(std::move(message));
        continue;
      }
      moved = true;
      core(describe(message.to).substr(1)).step(message);
    }
    if (!moved) return answer.empty() ? "nothing\n" : answer;
  }
  return answer + "BROKEN: it never comes to rest\n";
}

// ---- looking ----

std::string ScriptWorld::show(const Command& command) {
  std::string answer;
  if (command.name == "network") {
    for (const Message& message : network_) answer += describe(message) + "\n";
    return answer.empty() ? "empty\n" : answer;
  }
  for (const std::string& name : names(command)) {
    ScriptNode& shown = node(name);
    const std::string self = describe(shown.config.self);
    if (command.name == "status") answer += self + ": " + describe(shown.core->status()) + "\n";
    if (command.name == "progress") answer += describe_progress(*shown.core);
    if (command.name == "disk") {
      answer += self + ": " + describe(shown.disk.hard_state) + "\n";
      for (const Entry& entry : shown.disk.entries()) answer += "  " + describe(entry) + "\n";
    }
    if (command.name == "applied") {
      answer += self + ":";
      for (const Entry& entry : shown.applied) {
        if (entry.kind == EntryKind::command) answer += " " + describe(entry);
      }
      answer += "\n";
    }
    if (command.name == "log") {
      answer += self + ":";
      for (Index at(1); at <= shown.core->last_index(); at = at.next()) {
        if (const auto term = shown.core->term_at(at))
          answer += fmt::format(" {}/{}", at.value(), term->value());
      }
      answer += "\n";
    }
  }
  return answer;
}

// ---- what must hold ----

// Log matching (Raft thesis 3.5): where two logs agree in a term, they agree before it.
void ScriptWorld::check_pair(const Core& one, const Core& other, std::string& broken) const {
  bool agreed = false;
  for (Index at = std::min(one.last_index(), other.last_index()); !at.is_none(); at = before(at)) {
    const auto left = one.term_at(at);
    const auto right = other.term_at(at);
    if (!left || !right) return;
    if (agreed && *left != *right) broken += fmt::format("BROKEN: logs do not match at {}\n", at.value());
    agreed = agreed || *left == *right;
  }
}

std::string ScriptWorld::check() {
  std::string broken;
  for (const auto& [name, node] : nodes_) {
    if (!node.core) continue;
    for (const std::string& rule : broken_invariants(*node.core))
      broken += "BROKEN at " + name + ": " + rule + "\n";
    if (const auto before_it = before_.find(name); before_it != before_.end()) {
      for (const std::string& rule : broken_changes(before_it->second, *node.core)) {
        broken += "BROKEN at " + name + ": " + rule + "\n";
      }
    }
    before_.insert_or_assign(name, *node.core);
    if (node.core->role() == Role::leader) {
      const auto [leader, is_new] = leaders_.emplace(node.core->term(), node.config.self);
      if (leader->second != node.config.self) broken += "BROKEN: two leaders in one term\n";
      for (const auto& [index, entry] : committed_) {
        if (!is_new || index < node.core->machine().log.compaction().index) continue;
        if (node.core->term_at(index) != entry.term)
          broken += "BROKEN: a new leader lacks a committed entry\n";
      }
    }
    for (const auto& [other_name, other] : nodes_) {
      if (other.core && name < other_name) check_pair(*node.core, *other.core, broken);
    }
  }
  return broken;
}

}  // namespace parley::raft::testing
