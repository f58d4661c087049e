#include "parley/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "base/ensure.h"

namespace parley::cli {

Mailbox::Mailbox() : file_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  base::ensure(file_ >= 0, "an event can be made");
}

Mailbox::~Mailbox() { ::close(file_); }

void Mailbox::post(Work work) {
  const std::scoped_lock lock(mutex_);
  if (closed_) {
    return;
  }
  work_.push_back(std::move(work));
  const std::uint64_t one = 1;
  const bool woken = ::write(file_, &one, sizeof(one)) == static_cast<ssize_t>(sizeof(one));
  base::ensure(woken, "an event can be counted");
}

void Mailbox::run_all() {
  std::vector<Work> work;
  {
    const std::scoped_lock lock(mutex_);
    std::uint64_t count = 0;
    // Nothing to read means nothing was posted since.
    [[maybe_unused]] const ssize_t got = ::read(file_, &count, sizeof(count));
    work.swap(work_);
  }
  for (const Work& one : work) {
    one();
  }
}

void Mailbox::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
}

}  // namespace parley::cli
