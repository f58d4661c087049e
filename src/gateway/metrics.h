// Metrics: what this node counts and measures, in Prometheus' text format (docs/operating.md lists them).
// Counts of calls are kept as they are answered, whatever carried them; the rest is looked at when somebody
// asks. Owned by: the program; outlives service and gateway. on_answer: any thread; render: the gateway's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/error.h"
#include "node/chat_node.h"
#include "service/method.h"
#include "service/service.h"

namespace parley::gateway {

// Of the gateway itself.
struct HttpCounts {
  std::size_t connections = 0;
  std::size_t streams = 0;
  std::uint64_t accepted = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::map<unsigned, std::uint64_t> answers;  // by status
};

class Metrics {
 public:
  explicit Metrics(const std::string& version);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // A unary call has been answered: `code` is ok, or why not.
  void on_answer(const service::MethodInfo& method, base::Code code, std::chrono::nanoseconds took);

  [[nodiscard]] std::string render(const node::NodeStatus& status, const service::ServiceLoad& load,
                                   const HttpCounts& http);

 private:
  struct Families;
  const std::string version_;
  std::unique_ptr<Families> families_;
};

}  // namespace parley::gateway
