#include "base/standard_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <initializer_list>

namespace parley::base {

void occupy_standard_files() {
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // Nothing that is closed at exec can have come through it: a library's constructor took the number
    // (gRPC's, for an event that it only tries).
    const int flags = ::fcntl(file, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) {
      continue;
    }
    const int null = ::open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (null >= 0 && null != file) {
      ::dup2(null, file);
      ::close(null);
    }
  }
}

}  // namespace parley::base
