#include "gateway/metrics.h"

#include <dirent.h>
#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <utility>
#include <vector>

#include "gateway/connect.h"

namespace parley::gateway {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// From what one node alone takes to what a change of leader takes, and beyond.
const prometheus::Histogram::BucketBoundaries kBuckets_s = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05,
                                                            0.1,    0.25,  0.5,   1,     2.5,  5,     10};

double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

// What is looked at when somebody asks, as families of metrics.
class Snapshot {
 public:
  void gauge(const char* name, const char* help, double value, const char* label = nullptr,
             std::string label_value = {}) {
    add(MetricType::Gauge, name, help, label, std::move(label_value)).gauge.value = value;
  }
  void counter(const char* name, const char* help, double value, const char* label = nullptr,
               std::string label_value = {}) {
    add(MetricType::Counter, name, help, label, std::move(label_value)).counter.value = value;
  }
  [[nodiscard]] std::vector<MetricFamily>& families() { return families_; }

 private:
  ClientMetric& add(MetricType type, const char* name, const char* help, const char* label,
                    std::string label_value) {
    if (families_.empty() || families_.back().name != name) {
      families_.push_back({name, help, type, {}});
    }
    auto& metric = families_.back().metric.emplace_back();
    if (label != nullptr) {
      metric.label.push_back({label, std::move(label_value)});
    }
    return metric;
  }

  std::vector<MetricFamily> families_;
};

void add_node(Snapshot& out, const node::NodeStatus& status) {
  const bool is_follower = !status.is_leader && !status.is_candidate;
  const char* role_help = "1 for the role that this node has in consensus.";
  out.gauge("parley_role", role_help, status.is_leader ? 1 : 0, "role", "leader");
  out.gauge("parley_role", role_help, status.is_candidate ? 1 : 0, "role", "candidate");
  out.gauge("parley_role", role_help, is_follower ? 1 : 0, "role", "follower");
  out.gauge("parley_term", "The term: each election raises it.", static_cast<double>(status.term));
  out.gauge("parley_leader_id", "The node that leads; 0: none is known.",
            static_cast<double>(status.leader.value()));
  out.gauge("parley_commit_index", "The last entry known to be on the disks of a majority.",
            static_cast<double>(status.commit_index));
  out.gauge("parley_applied_index", "The last entry that is in this node's state.",
            static_cast<double>(status.applied_index));
  out.gauge("parley_log_entries", "Entries in this node's log.", static_cast<double>(status.log_entries));
  out.gauge("parley_writable", "1: a write sent here now would be committed, as far as this node knows.",
            status.writable ? 1 : 0);
  out.gauge("parley_trouble", "1: this node says that it cannot do something (/readyz says what).",
            status.trouble.empty() ? 0 : 1);
  if (status.as_of.age_ms) {
    out.gauge("parley_majority_contact_age_seconds", "How long ago a majority was last heard of.",
              *status.as_of.age_ms / 1000.0);
  }
  out.counter("parley_acknowledged_writes_total", "Writes answered by this node since it started.",
              static_cast<double>(status.acknowledged_writes));
  out.counter("parley_log_writes_total", "Writes to the log, each with its fdatasync.",
              static_cast<double>(status.log_writes));
  out.counter("parley_log_write_seconds_total", "Time that they took together.",
              static_cast<double>(status.log_write_us) / 1e6);
  for (const auto& peer : status.nodes) {
    out.gauge("parley_peer_healthy", "1: this node hears of that one.", peer.healthy ? 1 : 0, "node",
              std::to_string(peer.id.value()));
  }
  for (const auto& peer : status.nodes) {
    if (peer.last_contact_ms) {
      out.gauge("parley_peer_contact_age_seconds", "How long ago this node heard of that one.",
                *peer.last_contact_ms / 1000.0, "node", std::to_string(peer.id.value()));
    }
  }
  for (const auto& peer : status.nodes) {
    if (status.is_leader) {
      out.gauge("parley_peer_match_index", "The last entry that the leader knows to be stored there.",
                static_cast<double>(peer.match_index), "node", std::to_string(peer.id.value()));
    }
  }
  if (!status.leader_changes.empty()) {
    const auto& last = status.leader_changes.back();
    out.gauge("parley_last_leader_change_timestamp_seconds", "When the leader changed last.",
              static_cast<double>(last.at_unix_ms) / 1000.0);
    if (last.gap_ms) {
      out.gauge("parley_last_leader_change_gap_seconds", "How long there was none then.",
                *last.gap_ms / 1000.0);
    }
  }
}

void add_load(Snapshot& out, const service::ServiceLoad& load, const HttpCounts& http) {
  out.gauge("parley_calls_in_flight", "Unary calls, over gRPC and HTTP.",
            static_cast<double>(load.calls_in_flight));
  out.gauge("parley_request_bytes_in_flight", "Their requests' bytes.",
            static_cast<double>(load.request_bytes_in_flight));
  out.gauge("parley_answer_bytes_in_flight", "Bytes of answers that their clients have not taken yet.",
            static_cast<double>(load.answer_bytes_in_flight));
  out.gauge("parley_open_streams", "Streams, over gRPC and HTTP.", static_cast<double>(load.open_streams));
  out.gauge("parley_http_connections", "Open connections over HTTP.", static_cast<double>(http.connections));
  out.gauge("parley_http_streams", "Streams over HTTP.", static_cast<double>(http.streams));
  out.counter("parley_http_connections_total", "Connections that were accepted.",
              static_cast<double>(http.accepted));
  out.counter("parley_http_received_bytes_total", "Bytes read from them.",
              static_cast<double>(http.bytes_read));
  out.counter("parley_http_sent_bytes_total", "Bytes written to them.",
              static_cast<double>(http.bytes_written));
  for (const auto& [status, count] : http.answers) {
    out.counter("parley_http_answers_total", "Answers over HTTP, by status.", static_cast<double>(count),
                "status", std::to_string(status));
  }
}

std::size_t open_files() {
  std::size_t count = 0;
  if (DIR* folder = opendir("/proc/self/fd"); folder != nullptr) {
    while (readdir(folder) != nullptr) {
      ++count;
    }
    closedir(folder);
  }
  return count > 3 ? count - 3 : 0;  // ".", ".." and the folder itself
}

std::size_t resident_bytes() {
  std::size_t all_pages = 0;
  std::size_t resident_pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re"); file != nullptr) {
    if (std::fscanf(file, "%zu %zu", &all_pages, &resident_pages) != 2) {
      resident_pages = 0;
    }
    (void)std::fclose(file);
  }
  return resident_pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void add_process(Snapshot& out) {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  out.counter("process_cpu_seconds_total", "Time on a processor.", of(used.ru_utime) + of(used.ru_stime));
  out.gauge("process_resident_memory_bytes", "Memory in use.", static_cast<double>(resident_bytes()));
  out.gauge("process_open_fds", "Open files and sockets.", static_cast<double>(open_files()));
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    out.gauge("process_max_fds", "How many there may be.", static_cast<double>(files.rlim_cur));
  }
}

}  // namespace

struct Metrics::Families {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter()
          .Name("parley_requests_total")
          .Help("Unary calls that were answered, over gRPC and HTTP, by method and code.")
          .Register(registry);
  prometheus::Family<prometheus::Histogram>& durations =
      prometheus::BuildHistogram()
          .Name("parley_request_duration_seconds")
          .Help("From the call's bytes to its answer's, by method.")
          .Register(registry);
  // Found once: a call must not look for its labels.
  struct Method {
    std::array<std::atomic<prometheus::Counter*>, 17> requests{};
    std::atomic<prometheus::Histogram*> duration{nullptr};
  };
  std::vector<Method> methods = std::vector<Method>(service::methods().size());
};

Metrics::Metrics(const std::string& version) : version_(version), families_(std::make_unique<Families>()) {}

Metrics::~Metrics() = default;

void Metrics::on_answer(const service::MethodInfo& method, base::Code code, std::chrono::nanoseconds took) {
  const auto id = service::find_method(method.service, method.name);
  auto& cells = families_->methods.at(id->value() - 1);
  auto& request = cells.requests.at(static_cast<std::size_t>(code));
  if (request == nullptr) {  // two threads that meet here are given the same one
    request = &families_->requests.Add(
        {{"method", std::string(method.name)}, {"code", std::string(code_name(code))}});
  }
  if (cells.duration == nullptr) {
    cells.duration = &families_->durations.Add({{"method", std::string(method.name)}}, kBuckets_s);
  }
  request.load()->Increment();
  cells.duration.load()->Observe(seconds(took));
}

std::string Metrics::render(const node::NodeStatus& status, const service::ServiceLoad& load,
                            const HttpCounts& http) {
  Snapshot snapshot;
  snapshot.gauge("parley_build_info", "Always 1.", 1, "version", version_);
  add_node(snapshot, status);
  add_load(snapshot, load, http);
  add_process(snapshot);
  auto families = families_->registry.Collect();
  families.insert(families.begin(), std::make_move_iterator(snapshot.families().begin()),
                  std::make_move_iterator(snapshot.families().end()));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace parley::gateway
