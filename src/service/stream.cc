#include "service/stream.h"

#include <utility>

#include "service/call.h"
#include "service/refusals.h"

namespace parley::service {

Stream::Stream(std::shared_ptr<Service::State> state, std::shared_ptr<ReplyStream> out, CallContext context)
    : state_(std::move(state)), context_(std::move(context)), out_(std::move(out)) {
  state_->open_streams += 1;
}

Stream::~Stream() { state_->open_streams -= 1; }

node::Deadline Stream::deadline() const { return bounded_deadline(context_.deadline); }

bool Stream::send(std::string message) {
  const std::scoped_lock lock(mutex_);
  if (!out_) {
    return false;
  }
  if (out_->send(std::move(message))) {
    return true;
  }
  std::exchange(out_, nullptr)->finish(stream_too_slow());
  return false;
}

void Stream::finish(const base::Error& why) {
  const std::scoped_lock lock(mutex_);
  if (out_) {
    std::exchange(out_, nullptr)->finish(why);
  }
}

void Stream::keep(std::unique_ptr<node::Subscription> subscription) {
  {
    const std::scoped_lock lock(mutex_);
    if (!closed_) {
      subscription_ = std::move(subscription);
    }
  }
}

void Stream::close() {
  std::unique_ptr<node::Subscription> ending;
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    out_ = nullptr;
    ending = std::move(subscription_);
  }
}

}  // namespace parley::service
