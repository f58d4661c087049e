#include "node/node_folder.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "node/stamped_entry.h"
#include "node/state_origin.h"
#include "raft/codec.h"

namespace parley::node {
namespace {

constexpr const char* kStateFile = "state.db";

// Never used, never deleted.
struct Aside {
  std::string state_file;
  const char* suffix;  // of the name that it is kept under
  const char* why;
};

std::expected<void, std::string> set_state_aside(wal::FileSystem& files, const std::string& path,
                                                 const Aside& aside) {
  const auto names = files.list(path);
  if (!names) {
    return std::unexpected(names.error().describe());
  }
  std::size_t attempt = 0;
  const auto is_taken = [&](const std::string& name) {
    return std::ranges::find(*names, name) != names->end();
  };
  const auto kept_as = [&] { return fmt::format("{}.{}-{}", aside.state_file, aside.suffix, attempt); };
  while (is_taken(kept_as())) {
    ++attempt;
  }
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const std::string name = aside.state_file + suffix;
    if (!is_taken(name)) {
      continue;
    }
    const std::string new_name = kept_as() + suffix;
    if (auto done = files.rename(path + "/" + name, path + "/" + new_name); !done) {
      return std::unexpected(done.error().describe());
    }
    spdlog::warn("{}/{} {}; kept as {}", path, name, aside.why, new_name);
  }
  if (auto done = files.sync_folder(path); !done) {
    return std::unexpected(done.error().describe());
  }
  return {};
}

std::expected<std::optional<raft::Founding>, std::string> read_founding(const wal::Log& log,
                                                                        const raft::RecoveredLog& recovered) {
  if (recovered.last.is_none()) {
    return std::nullopt;
  }
  const auto entries = log.read(raft::Index(1), 1);
  if (!entries) {
    return std::unexpected(entries.error().describe());
  }
  if (entries->empty() || entries->front().index != raft::Index(1)) {
    return std::unexpected("the log does not begin with entry 1");
  }
  auto founding = raft::decode_founding(entries->front().data.view());
  if (!founding) {
    return std::unexpected("entry 1 of the log does not decode: " + founding.error());
  }
  return std::move(*founding);
}

chat::Stamp newest_stamp(const raft::RecoveredLog& log, chat::Stamp of_state) {
  for (auto entry = log.entries.rbegin(); entry != log.entries.rend(); ++entry) {
    if (entry->kind != raft::EntryKind::command) {
      continue;
    }
    const auto stamped = read_stamped_entry(entry->data.view());
    return stamped && stamped->stamp > of_state ? stamped->stamp : of_state;
  }
  return of_state;
}

// Whose log it is if not this node's, by the newest configuration: the log's incarnation is drawn when it is
// made.
std::optional<base::NodeId> other_owner(const wal::Recovered& recovered, base::NodeId self) {
  const raft::Configuration& newest = recovered.log.configurations.empty()
                                          ? recovered.log.compaction.configuration
                                          : recovered.log.configurations.back().configuration;
  std::optional<base::NodeId> other;
  for (const auto* members : {&newest.voters, &newest.outgoing_voters, &newest.learners}) {
    for (const raft::Member& member : *members) {
      if (member == raft::Member{self, recovered.incarnation}) {
        return std::nullopt;
      }
      if (member.incarnation == recovered.incarnation) {
        other = member.id;
      }
    }
  }
  return other;
}

// A start before the founding has made it, and nothing was applied since.
bool is_unused(const chat::StateOptions& options) {
  const auto opened = chat::StateMachine::open(options);
  return opened && (*opened)->applied().is_none();
}

chat::StateResult<std::unique_ptr<chat::StateMachine>> open_state_of_this_log(wal::FileSystem& files,
                                                                              const std::string& path,
                                                                              const std::string& state_file,
                                                                              const OpenedFolder& folder) {
  auto opened = chat::StateMachine::open(folder.state_options);
  if (!opened ||
      !is_of_another_cluster((*opened)->applied(), (*opened)->cluster_id().value_or(base::ClusterId{}),
                             folder.cluster_id())) {
    return opened;
  }
  opened->reset();  // an open database is never renamed
  if (auto done = set_state_aside(files, path,
                                  {.state_file = state_file,
                                   .suffix = "of-another-cluster",
                                   .why = "is the state of another cluster than the log"});
      !done) {
    return std::unexpected(chat::StateError{
        .what = "it is that of another cluster, and cannot be moved out of the way: " + done.error()});
  }
  return chat::StateMachine::open(folder.state_options);
}

// Rule 16: whatever is wrong with the state, the node can still store, vote and forward. Another cluster's is
// moved aside, and this one's made again from the log.
void open_state(OpenedFolder& folder, wal::FileSystem& files, const std::string& path,
                const std::string& state_file) {
  auto opened = open_state_of_this_log(files, path, state_file, folder);
  if (!opened) {
    folder.why_no_state = "the state cannot be opened: " + opened.error().what;
    return;
  }
  const base::Position applied = (*opened)->applied();
  if (applied < folder.recovered.log.compaction.index) {
    folder.why_no_state =
        fmt::format("the state is older than the log: it ends at entry {}, the log begins after {}",
                    applied.value(), folder.recovered.log.compaction.index.value());
    return;
  }
  folder.state = std::move(*opened);
}

}  // namespace

std::expected<OpenedFolder, std::string> open_folder(wal::FileSystem& files, const std::string& path,
                                                     wal::Options log_options, std::string sqlite_vfs,
                                                     base::NodeId self) {
  if (auto made = wal::make_durable_folder(files, path); !made) {
    return std::unexpected(made.error().describe());
  }
  auto opened = wal::Log::open(files, path + "/log", log_options);
  if (!opened) {
    return std::unexpected(opened.error().describe());
  }
  OpenedFolder folder{.log = std::move(opened->log), .recovered = std::move(opened->recovered)};
  auto founding = read_founding(folder.log, folder.recovered.log);
  if (!founding) {
    return std::unexpected(founding.error());
  }
  folder.founding = std::move(*founding);
  if (const auto owner = other_owner(folder.recovered, self)) {
    return std::unexpected(fmt::format(
        "{} is the folder of node {}, and this is started as node {}: is --id or --data another node's?",
        path, owner->value(), self.value()));
  }
  const std::string& live = folder.recovered.live_state_file;
  const std::string state_file = live.empty() ? kStateFile : live;
  folder.state_options = {.path = path + "/" + state_file, .vfs = std::move(sqlite_vfs)};
  // A log that was lost takes its state with it: the entries that follow will be another history's.
  if (folder.recovered.log.last.is_none() && !is_unused(folder.state_options)) {
    if (auto done = set_state_aside(
            files, path,
            {.state_file = state_file, .suffix = "of-lost-log", .why = "belongs to a log that is gone"});
        !done) {
      return std::unexpected(done.error());
    }
  }
  open_state(folder, files, path, state_file);
  if (folder.state && folder.state->applied() > folder.recovered.log.last) {
    return std::unexpected(fmt::format(
        "{} has applied entry {}, but the log ends at {}: they do not belong together. Is one of them an old "
        "copy?",
        folder.state_options.path, folder.state->applied().value(), folder.recovered.log.last.value()));
  }
  folder.applied_at_start = folder.state ? folder.state->applied() : folder.recovered.log.compaction.index;
  folder.last_stamp =
      newest_stamp(folder.recovered.log, folder.state ? folder.state->last_stamp() : chat::Stamp{});
  return folder;
}

}  // namespace parley::node
