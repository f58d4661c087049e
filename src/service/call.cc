#include "service/call.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/stubs/common.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/request_size.h"
#include "service/refusals.h"

namespace parley::service {
namespace {

google::protobuf::ArenaOptions arena_options(std::array<char, 2048>& first_block) {
  google::protobuf::ArenaOptions options;
  options.initial_block = first_block.data();
  options.initial_block_size = first_block.size();
  return options;
}

// The name of a text field whose bytes are no UTF-8; empty: the trouble is another one.
std::string field_without_utf8(std::string_view bytes, const google::protobuf::Descriptor& type) {
  google::protobuf::UnknownFieldSet fields;
  if (!fields.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return {};
  }
  for (int i = 0; i < fields.field_count(); ++i) {
    const auto& field = fields.field(i);
    const auto* declared = type.FindFieldByNumber(field.number());
    if (declared == nullptr || declared->type() != google::protobuf::FieldDescriptor::TYPE_STRING ||
        field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) {
      continue;
    }
    const std::string& text = field.length_delimited();
    if (!google::protobuf::internal::IsStructurallyValidUTF8(text.data(), static_cast<int>(text.size()))) {
      return declared->name();
    }
  }
  return {};
}

}  // namespace

node::Deadline bounded_deadline(const std::optional<node::Deadline>& wanted,
                                std::chrono::steady_clock::time_point now) {
  if (!wanted) {
    return now + std::chrono::milliseconds(base::kDefaultDeadline_ms);
  }
  return std::min(*wanted, now + std::chrono::milliseconds(base::kMaxDeadline_ms));
}

node::Deadline bounded_deadline(const std::optional<node::Deadline>& wanted) {
  return bounded_deadline(wanted, std::chrono::steady_clock::now());
}

base::Result<void> parse(std::string_view bytes, google::protobuf::Message& into) {
  if (bytes.size() > base::kMaxRequestBytes) {
    return std::unexpected(base::request_too_large(bytes.size()));
  }
  if (into.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return {};
  }
  const auto& type = *into.GetDescriptor();
  const std::string field = field_without_utf8(bytes, type);
  auto error = field.empty() ? base::refused(base::Code::invalid_argument, "MALFORMED_REQUEST",
                                             "The request does not parse as " + type.full_name() + ".")
                             : base::refused(base::Code::invalid_argument, "INVALID_UTF8",
                                             "The request does not parse as " + type.full_name() +
                                                 ": the text of " + field + " is not valid UTF-8.");
  error.field = field;
  return std::unexpected(std::move(error));
}

// The arena's first block needs no zeros.
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
CallBase::CallBase(std::shared_ptr<Service::State> state, const MethodInfo& method, CallContext context,
                   ReplyCallback done, std::size_t request_size_bytes)
    : state_(std::move(state)),
      method_(method),
      context_(std::move(context)),
      done_(std::move(done)),
      deadline_(bounded_deadline(context_.deadline)),
      request_size_bytes_(request_size_bytes),
      arena_(arena_options(first_block_)) {
  state_->calls_in_flight += 1;
  state_->request_bytes_in_flight += request_size_bytes_;
}

CallBase::~CallBase() {
  if (!done_) {
    return;
  }
  const std::string what = std::string(method_.name) + " was given up on this node without an answer.";
  answer(std::unexpected(method_.is_write ? base::outcome_unknown(base::Code::unavailable, "GIVEN_UP", what)
                                          : base::refused(base::Code::unavailable, "GIVEN_UP", what)));
}

base::Result<Answer> CallBase::charge(base::Result<std::string> result) const {
  if (!result) {
    return std::unexpected(std::move(result).error());
  }
  AnswerBudget& budget = *state_->answers;
  auto charge = method_.is_write ? std::optional(budget.charge_write(result->size()))
                                 : budget.charge_answer(result->size());
  if (!charge) {
    return std::unexpected(overloaded());
  }
  return Answer(*std::move(result), *std::move(charge));
}

void CallBase::answer(base::Result<std::string> result) {
  if (auto done = std::exchange(done_, {})) {
    auto charged = charge(std::move(result));
    state_->calls_in_flight -= 1;
    state_->request_bytes_in_flight -= request_size_bytes_;
    if (const auto& observer = state_->options.on_answer; observer && !context_.is_forwarded) {
      observer(method_, charged ? base::Code::ok : charged.error().code,
               std::chrono::steady_clock::now() - began_at_);
    }
    done(std::move(charged));
  }
}

void CallBase::fail(base::Error error) {
  if (node::is_state_broken(error)) {
    if (!context_.is_forwarded && !method_.stays_here) {
      hand_over();
      return;
    }
    if (method_.is_write && has_proposed_) {
      error.outcome = base::Outcome::unknown;
    }
  }
  answer(std::unexpected(std::move(error)));
}

// Proposed or not, the leader may do it all again: by its request_id it is the same write.
void CallBase::hand_over() {
  Again again = encode_again(request_id_);
  node::CallToLeader call{.call = {.method = std::string(method_.service) + "/" + std::string(method_.name),
                                   .request = base::Payload(std::move(again.bytes)),
                                   .authorization = context_.authorization},
                          .deadline = deadline_,
                          .is_write = method_.is_write,
                          .is_repeatable = !method_.is_write || again.has_request_id,
                          .may_have_happened = has_proposed_};
  node().call_leader(std::move(call), [self = shared_from_this()](base::Result<std::string> result) {
    self->post([self, result = std::move(result)]() mutable { self->answer(std::move(result)); });
  });
}

void CallBase::reply(const google::protobuf::Message& response) { answer(response.SerializeAsString()); }

void CallBase::post(std::move_only_function<void()> task) {
  if (context_.executor) {
    context_.executor->post(std::move(task));
  } else {
    task();
  }
}

}  // namespace parley::service
