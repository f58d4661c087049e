// The methods of the API as data: their names, whether they stream, whether they write.
// Owned by: nobody, constants. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/strong_id.h"

namespace parley::service {

enum class MethodKind : std::uint8_t { unary, server_stream };

struct MethodInfo {
  std::string_view service;  // "parley.v1.MessageService"
  std::string_view name;     // "SendMessage"
  MethodKind kind = MethodKind::unary;
  bool is_write = false;    // an error without further word may mean that it was done
  bool stays_here = false;  // it is about the node that was called: no other answers it
};

// Its place in methods(), counted from 1.
using MethodId = base::StrongId<struct MethodIdTag, std::uint32_t>;

// Every method of api.proto, in its order.
[[nodiscard]] std::span<const MethodInfo> methods();
[[nodiscard]] const MethodInfo& info(MethodId method);

// Nothing: there is no such method.
[[nodiscard]] std::optional<MethodId> find_method(std::string_view service, std::string_view name);

}  // namespace parley::service
