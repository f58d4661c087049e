// ApiCall: a unary call of the API as it came: what a node whose state cannot be used has the leader answer
// (rule 16). Owned by: nobody, a value. Any thread.
#pragma once

#include <cstddef>
#include <string>

#include "base/limits.h"
#include "base/payload.h"

namespace parley::node {

struct ApiCall {
  std::string method;     // "parley.v1.MessageService/ListMessages"
  base::Payload request;  // encoded; a write's request_id is in it
  std::string authorization;
  bool operator==(const ApiCall&) const = default;
};

inline constexpr std::size_t kMaxMethodBytes = 256;
inline constexpr std::size_t kMaxAuthorizationBytes = 16UL * 1024;
// An answer ends at a page of 1 MiB and a row; no client takes more than this.
inline constexpr std::size_t kMaxAnswerBytes = 4UL * 1024 * 1024;

// Above it lie only pages of reads: an answer that may be refused when it could not be sent.
inline constexpr std::size_t kBulkAnswerBytes = 64UL * 1024;

// What goes beyond it is not taken to another node.
[[nodiscard]] inline bool is_within_limits(const ApiCall& call) {
  return call.method.size() <= kMaxMethodBytes && call.request.size_bytes() <= base::kMaxRequestBytes &&
         call.authorization.size() <= kMaxAuthorizationBytes;
}

}  // namespace parley::node
