#include "parley/demo/talk.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <variant>

namespace parley::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kStartPatience{60'000};
constexpr milliseconds kCallPatience{5'000};
constexpr milliseconds kCountPatience{30'000};
constexpr milliseconds kDeliveryPatience{10'000};
// A frozen node answers nothing: the next one is asked after this, with the same request_id.
constexpr milliseconds kAttemptPatience{400};
constexpr int kLanes = 4;  // of each person: so many writes under way at once
constexpr std::int32_t kPageSize = 500;

constexpr std::array<const char*, 12> kLines = {
    "Are you there?",
    "I am. Did you feel that?",
    "Feel what?",
    "Somebody pulled a plug.",
    "Which one?",
    "The leader's, I think.",
    "And yet we talk.",
    "A majority has every word on disk.",
    "What if another one goes?",
    "Then three are left, and that is enough.",
    "And a third?",
    "Then we wait. We do not lie.",
};

std::string why(const base::Error& error) {
  return error.message.empty() ? base::to_string(error.code) : error.message;
}

}  // namespace

// Notes what its person is shown. The watch's thread calls it.
class Talk::Ear final : public client::WatchHandler {
 public:
  Ear(Talk& talk, Speaker listener)
      : talk_(talk),
        listener_(listener),
        watch_(*talk.people_[static_cast<std::size_t>(listener)].client,
               {.after_position = talk.first_position_}, *this) {
    is_made_ = true;
  }

  void on_connected(const std::string&, std::uint64_t) override {}
  void on_event(const v1::WatchResponse& event) override {
    // A node that lost touch with the majority goes on saying that it is alive: another one knows more.
    if (is_made_ && event.has_heartbeat() && !event.heartbeat().writable()) {
      watch_.move();
    }
    if (!event.has_message() || event.message().sender_id() != talk_.person(other(listener_)).id) {
      return;
    }
    if (const auto number = number_of(event.message().body())) {
      const std::scoped_lock lock(talk_.mutex_);
      talk_.record_.delivered(listener_, *number, event.message().id());
      talk_.last_words_ = fmt::format("{}: {}", event.message().sender(), event.message().body());
    }
  }
  void on_resync() override {
    const std::scoped_lock lock(talk_.mutex_);
    talk_.record_.delivery_was_interrupted();
  }
  void on_trouble(const std::string&, const base::Error&) override {}
  void on_end(const base::Error&) override { on_resync(); }

 private:
  Talk& talk_;
  const Speaker listener_;
  std::atomic<bool> is_made_ = false;  // the watch's thread may be quicker
  client::Watch watch_;                // last: its thread uses the others
};

Talk::Talk(TalkOptions options) : options_(std::move(options)) {}

client::ClientOptions Talk::client_options() const {
  client::ClientOptions options;
  options.servers = options_.servers;
  options.timeout = kCallPatience;
  options.attempt_timeout = kAttemptPatience;
  options.connect_timeout = kAttemptPatience;
  return options;
}

std::expected<std::unique_ptr<Talk>, std::string> Talk::open(TalkOptions options,
                                                             const std::stop_token& stop) {
  std::unique_ptr<Talk> talk(new Talk(std::move(options)));
  talk->people_[0].name = "ann";
  talk->people_[1].name = "bob";
  for (Person& person : talk->people_) {
    if (auto done = talk->introduce(person, stop); !done) {
      return std::unexpected(done.error());
    }
  }
  return talk;
}

std::expected<void, std::string> Talk::introduce(Person& person, const std::stop_token& stop) {
  person.client = std::make_unique<client::Client>(client_options());
  const client::CallOptions call{.timeout = kStartPatience, .stop = stop};
  v1::CreateAccountRequest create;
  create.set_name(person.name);
  create.set_password(kPassword);
  const auto created = person.client->create_account(create, call);
  if (const auto* const done = std::get_if<client::Done<v1::CreateAccountResponse>>(&created)) {
    person.id = done->answer.account().id();
    person.token = done->answer.token();
    first_position_ = std::max(first_position_, done->answer.position());
  } else {
    // The folder was used before.
    v1::LogInRequest log_in;
    log_in.set_name(person.name);
    log_in.set_password(kPassword);
    const auto* const refused = std::get_if<client::Refused>(&created);
    if (refused == nullptr || refused->error.code != base::Code::already_exists) {
      return std::unexpected(
          "the cluster did not come up: " +
          why(refused != nullptr ? refused->error : std::get<client::Unknown>(created).error));
    }
    const auto outcome = person.client->log_in(log_in, call);
    const auto* const logged_in = std::get_if<client::Done<v1::LogInResponse>>(&outcome);
    if (logged_in == nullptr) {
      return std::unexpected(fmt::format(
          "this folder has an account {} with another password; take another --data", person.name));
    }
    person.id = logged_in->answer.account().id();
    person.token = logged_in->answer.token();
    first_position_ = std::max(first_position_, logged_in->answer.position());
  }
  person.client->set_token(person.token);
  return {};
}

Talk::~Talk() {
  hard_stop_.request_stop();
  for (std::jthread& lane : lanes_) {
    lane.request_stop();
  }
  lanes_.clear();
  ears_.clear();
}

void Talk::start() {
  for (const Speaker speaker : {Speaker::ann, Speaker::bob}) {
    ears_.push_back(std::make_unique<Ear>(*this, speaker));
  }
  next_turn_ = steady_clock::now();
  for (int lane = 0; lane < kLanes; ++lane) {
    for (const Speaker speaker : {Speaker::ann, Speaker::bob}) {
      lanes_.emplace_back([this, speaker](const std::stop_token& stop) { speak(speaker, stop); });
    }
  }
}

void Talk::speak(Speaker speaker, const std::stop_token& stop) {
  while (wait_for_turn(stop)) {
    write(speaker, hard_stop_.get_token());
  }
}

// Turns are evenly spaced; those that were missed, since every lane was waiting for an answer, are not made
// up for.
bool Talk::wait_for_turn(const std::stop_token& stop) {
  const auto interval = std::chrono::duration_cast<Time::duration>(
      std::chrono::duration<double>(1.0 / std::max(options_.rate_per_s, 0.1)));
  std::unique_lock lock(mutex_);
  next_turn_ = std::max(next_turn_, steady_clock::now() - interval);
  const Time own_turn = next_turn_;
  next_turn_ += interval;
  return !turn_.wait_until(lock, stop, own_turn, [&stop] { return stop.stop_requested(); });
}

// One message, until it is known what became of it.
void Talk::write(Speaker speaker, const std::stop_token& stop) {
  std::size_t number = 0;
  {
    const std::scoped_lock lock(mutex_);
    number = record_.begin(speaker);
  }
  v1::SendMessageRequest request;
  request.set_recipient(person(other(speaker)).name);
  request.set_recipient_id(person(other(speaker)).id);
  request.set_body(tagged(kLines.at(number % kLines.size()), number));
  bool unknown_before = false;
  while (!stop.stop_requested()) {
    const auto outcome =
        person(speaker).client->send_message(request, {.stop = stop, .unknown_before = unknown_before});
    const Time now = steady_clock::now();
    const std::scoped_lock lock(mutex_);
    if (const auto* const done = std::get_if<client::Done<v1::SendMessageResponse>>(&outcome)) {
      record_.acknowledged(number, done->answer.message().id());
      times_.add(now);
      return;
    }
    if (std::holds_alternative<client::Refused>(outcome)) {
      record_.refused(number);
      return;
    }
    // Asking again with the same request_id tells, and never sends twice.
    record_.became_unknown(number);
    request.set_request_id(std::get<client::Unknown>(outcome).request_id);
    unknown_before = true;
  }
}

Talk::Picture Talk::picture(Time now, std::size_t columns) const {
  const std::scoped_lock lock(mutex_);
  return {.counts = record_.counts(),
          .columns = times_.columns(now, columns),
          .last_second = times_.count_since(now - std::chrono::seconds(1)),
          .last_words = last_words_};
}

milliseconds Talk::longest_silence(Time from, Time to) const {
  const std::scoped_lock lock(mutex_);
  return times_.longest_silence(from, to);
}

std::expected<Verdict, std::string> Talk::count(const std::stop_token& stop) {
  const std::stop_callback give_up(stop, [this] { hard_stop_.request_stop(); });
  for (std::jthread& lane : lanes_) {
    lane.request_stop();
  }
  lanes_.clear();
  std::vector<std::vector<Found>> held;
  for (const base::Address& node : options_.servers) {
    auto found = list_at(node, stop);
    if (!found) {
      return std::unexpected(found.error());
    }
    held.push_back(*std::move(found));
  }
  // A watch may be a moment behind the lists.
  const Time deadline = steady_clock::now() + kDeliveryPatience;
  std::unique_lock lock(mutex_);
  while (!record_.all_acknowledged_are_delivered() && steady_clock::now() < deadline &&
         !stop.stop_requested()) {
    turn_.wait_for(lock, stop, milliseconds(50), [] { return false; });
  }
  return record_.check(held);
}

std::expected<std::vector<Found>, std::string> Talk::list_at(const base::Address& node,
                                                             const std::stop_token& stop) const {
  client::ClientOptions options = client_options();
  options.servers = {node};
  options.token = token();
  options.attempt_timeout = kCallPatience;
  client::Client client(std::move(options));
  v1::ListMessagesRequest request;
  request.set_peer(people_[1].name);
  request.set_newest_first(true);
  request.set_page_size(kPageSize);
  std::vector<Found> found;
  while (true) {
    const auto page = client.list_messages(request, {.timeout = kCountPatience, .stop = stop});
    if (!page) {
      return std::unexpected(
          fmt::format("the messages cannot be listed at {}: {}", base::to_string(node), why(page.error())));
    }
    for (const v1::Message& message : page->messages()) {
      if (message.id() <= first_position_) {
        return found;
      }
      if (const auto number = number_of(message.body())) {
        found.push_back({.sender = message.sender_id() == people_[0].id ? Speaker::ann : Speaker::bob,
                         .number = *number,
                         .id = message.id()});
      }
    }
    if (page->next_page_token().empty()) {
      return found;
    }
    request.set_page_token(page->next_page_token());
  }
}

}  // namespace parley::demo
