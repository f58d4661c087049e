#include "base/ensure.h"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace parley::base {

void stop_process(std::string_view reason, std::source_location where) {
  const std::string text(reason);
  std::fprintf(stderr, "parley: stopped, a broken invariant: %s (%s:%u)\n", text.c_str(), where.file_name(),
               static_cast<unsigned>(where.line()));
  std::fflush(stderr);
  std::abort();
}

}  // namespace parley::base
