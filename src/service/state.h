// What the calls of one Service share. Private to service. Owned by: Service, and every call until it is
// answered. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "node/chat_node.h"
#include "service/answer.h"
#include "service/barrier_reads.h"
#include "service/password_pool.h"
#include "service/service.h"
#include "service/session_cache.h"
#include "service/status_ticker.h"

namespace parley::service {

class Stream;

struct Service::State {
  State(node::ChatNode& the_node, ServiceOptions the_options);

  node::ChatNode& node;
  const ServiceOptions options;
  PasswordPool passwords;
  std::shared_ptr<BarrierReads> barrier;
  SessionCache sessions;
  StatusTicker ticker;

  std::atomic<std::size_t> calls_in_flight{0};
  std::atomic<std::size_t> request_bytes_in_flight{0};
  const std::shared_ptr<AnswerBudget> answers =
      std::make_shared<AnswerBudget>(options.max_answer_bytes_in_flight);
  std::atomic<bool> stopping{false};

  std::mutex streams_mutex;
  std::vector<std::weak_ptr<Stream>> streams;  // some may be gone; swept when it has doubled
  std::size_t streams_swept_at = 64;
  std::atomic<std::size_t> open_streams{0};
};

[[nodiscard]] base::Error shutting_down();
[[nodiscard]] base::Error not_founded();

}  // namespace parley::service
