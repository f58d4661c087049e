#include "base/request_size.h"

#include <string>

#include "base/limits.h"

namespace parley::base {

Error request_too_large(std::optional<std::size_t> size_bytes) {
  const std::string count = size_bytes ? std::to_string(*size_bytes) : "too many";
  const std::string most = std::to_string(kMaxRequestBytes);
  auto error = refused(Code::invalid_argument, "REQUEST_TOO_LARGE",
                       "The request has " + count + " bytes; at most " + most + " (1 MiB) are allowed.");
  error.limit = most + " bytes";
  return error;
}

}  // namespace parley::base
