// Record: every write that the demo's people began, what became of it, and whether what the cluster holds
// agrees. A value: it knows no network, no clock and no thread. Owned by: Talk, which guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace parley::demo {

enum class Speaker : std::uint8_t { ann = 0, bob = 1 };
[[nodiscard]] constexpr Speaker other(Speaker speaker) {
  return speaker == Speaker::ann ? Speaker::bob : Speaker::ann;
}

// So far, while people talk.
struct Counts {
  std::size_t sent = 0;
  std::size_t acknowledged = 0;
  std::size_t refused = 0;    // nothing happened
  std::size_t resolved = 0;   // ended as unknown, were asked for again, and were told
  std::size_t open = 0;       // under way, or still unknown
  std::size_t delivered = 0;  // acknowledged or not, and shown to the other one by the watch
};

// A message of this run as a node lists it.
struct Found {
  Speaker sender = Speaker::ann;
  std::size_t number = 0;
  std::uint64_t id = 0;
};

struct Verdict {
  Counts counts;
  std::size_t lost = 0;                 // acknowledged, and not there or not shown to the other one
  std::size_t doubled = 0;              // there, or shown, more than once
  std::size_t resurrected = 0;          // refused, and yet there
  std::size_t misordered = 0;           // begun after another's answer, and ordered before it
  std::vector<std::string> complaints;  // the first ones, in words

  [[nodiscard]] bool is_clean() const {
    return lost == 0 && doubled == 0 && resurrected == 0 && misordered == 0;
  }
};

class Record {
 public:
  // A new write; its number goes into the message (tagged(), number_of()).
  [[nodiscard]] std::size_t begin(Speaker sender);
  void acknowledged(std::size_t number, std::uint64_t message_id);
  void refused(std::size_t number);
  void became_unknown(std::size_t number);
  // The watch of the other one showed it.
  void delivered(Speaker receiver, std::size_t number, std::uint64_t message_id);
  // From now on the watch may have left something out: what it did not show is no loss.
  void delivery_was_interrupted() { delivery_is_checked_ = false; }

  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] bool all_acknowledged_are_delivered() const;

  // `held`: for each node that was asked, all messages of this run.
  [[nodiscard]] Verdict check(const std::vector<std::vector<Found>>& held) const;

 private:
  enum class State : std::uint8_t { open, acknowledged, refused };
  struct Write {
    Speaker sender = Speaker::ann;
    State state = State::open;
    bool was_unknown = false;
    std::uint64_t id = 0;           // once acknowledged
    std::uint64_t begun_after = 0;  // the highest id that had been acknowledged to anybody when it began
    std::size_t deliveries = 0;
  };
  void check_node(std::size_t node, const std::vector<Found>& held, std::vector<std::uint8_t>& wrong,
                  Verdict& verdict) const;
  void check_delivery(std::vector<std::uint8_t>& wrong, Verdict& verdict) const;

  std::vector<Write> writes_;  // by number
  Counts counts_;
  std::uint64_t highest_id_ = 0;
  bool delivery_is_checked_ = true;
};

// "text #17", and back; nothing for what carries no number.
[[nodiscard]] std::string tagged(const std::string& text, std::size_t number);
[[nodiscard]] std::optional<std::size_t> number_of(const std::string& body);

}  // namespace parley::demo
