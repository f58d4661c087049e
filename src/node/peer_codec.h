// PeerMessages as frames of bytes (parley.internal.v1.PeerFrame), many messages a frame. The transport moves
// frames and need not look inside. Owned by: nobody. Any thread.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "node/peer_message.h"

namespace parley::node {

// A frame is closed when the next message would take it beyond this; one larger message goes alone.
inline constexpr std::size_t kFrameTarget_bytes = 1024UL * 1024;
// A receiver refuses more. Above any single message: an append of max_append_size_bytes, a command of
// kMaxRequestBytes.
inline constexpr std::size_t kMaxFrame_bytes = 8UL * 1024 * 1024;

// What `message` adds to a frame, roughly and never less than its payloads: for closing frames and bounding
// queues.
[[nodiscard]] std::size_t estimated_size_bytes(const PeerMessage& message);

[[nodiscard]] std::string encode_frame(std::span<const PeerMessage> messages);

// Foreign bytes: the error says what was wrong; nothing of a bad frame is used.
[[nodiscard]] std::expected<std::vector<PeerMessage>, std::string> decode_frame(std::string_view frame);

}  // namespace parley::node
