#include "parley/demo/record.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "base/ensure.h"

namespace parley::demo {
namespace {

constexpr std::size_t kMaxComplaints = 10;

// Each write is counted once for each kind of fault, at however many nodes it shows.
enum Fault : std::uint8_t { lost = 1, doubled = 2, resurrected = 4, misordered = 8 };

void complain(Verdict& verdict, std::string what) {
  if (verdict.complaints.size() < kMaxComplaints) {
    verdict.complaints.push_back(std::move(what));
  }
}

void note(std::uint8_t& wrong, Fault fault, Verdict& verdict, std::string what) {
  if ((wrong & fault) == 0) {
    wrong = static_cast<std::uint8_t>(wrong | fault);
    complain(verdict, std::move(what));
  }
}

}  // namespace

std::size_t Record::begin(Speaker sender) {
  writes_.push_back({.sender = sender, .begun_after = highest_id_});
  ++counts_.sent;
  ++counts_.open;
  return writes_.size() - 1;
}

void Record::acknowledged(std::size_t number, std::uint64_t message_id) {
  Write& write = writes_.at(number);
  base::ensure(write.state == State::open, "a write ends once");
  write.state = State::acknowledged;
  write.id = message_id;
  highest_id_ = std::max(highest_id_, message_id);
  --counts_.open;
  ++counts_.acknowledged;
  counts_.resolved += write.was_unknown ? 1 : 0;
}

void Record::refused(std::size_t number) {
  Write& write = writes_.at(number);
  base::ensure(write.state == State::open, "a write ends once");
  write.state = State::refused;
  --counts_.open;
  ++counts_.refused;
  counts_.resolved += write.was_unknown ? 1 : 0;
}

void Record::became_unknown(std::size_t number) { writes_.at(number).was_unknown = true; }

void Record::delivered(Speaker receiver, std::size_t number, std::uint64_t) {
  if (number < writes_.size() && writes_[number].sender == other(receiver)) {
    ++writes_[number].deliveries;
    ++counts_.delivered;
  }
}

bool Record::all_acknowledged_are_delivered() const {
  for (const Write& write : writes_) {
    if (write.state == State::acknowledged && write.deliveries == 0) {
      return !delivery_is_checked_;
    }
  }
  return true;
}

void Record::check_node(std::size_t node, const std::vector<Found>& held, std::vector<std::uint8_t>& wrong,
                        Verdict& verdict) const {
  std::vector<std::size_t> times(writes_.size(), 0);
  std::vector<std::uint64_t> ids(writes_.size(), 0);
  for (const Found& found : held) {
    // What people type into the page beside the two is theirs.
    if (found.number < writes_.size() && writes_[found.number].sender == found.sender) {
      ++times[found.number];
      ids[found.number] = found.id;
    }
  }
  for (std::size_t number = 0; number < writes_.size(); ++number) {
    const Write& write = writes_[number];
    std::uint8_t& faults = wrong[number];
    if (write.state == State::acknowledged && times[number] == 0) {
      note(faults, lost, verdict,
           fmt::format("lost: #{} was acknowledged as message {}, and node {} does not have it", number,
                       write.id, node));
    }
    if (times[number] > 1) {
      note(faults, doubled, verdict, fmt::format("doubled: #{} is there {} times", number, times[number]));
    }
    if (write.state == State::acknowledged && times[number] == 1 && ids[number] != write.id) {
      note(faults, lost, verdict,
           fmt::format("lost: #{} was acknowledged as message {}, and is message {}", number, write.id,
                       ids[number]));
    }
    if (write.state == State::refused && times[number] > 0) {
      note(faults, resurrected, verdict,
           fmt::format("refused, and yet there: #{} is message {}", number, ids[number]));
    }
    if (times[number] > 0 && ids[number] <= write.begun_after) {
      note(faults, misordered, verdict,
           fmt::format("out of order: #{} is message {}, but was begun after {} had been acknowledged",
                       number, ids[number], write.begun_after));
    }
  }
}

void Record::check_delivery(std::vector<std::uint8_t>& wrong, Verdict& verdict) const {
  for (std::size_t number = 0; number < writes_.size(); ++number) {
    const Write& write = writes_[number];
    if (write.deliveries > 1) {
      note(wrong[number], doubled, verdict,
           fmt::format("doubled: #{} was shown {} times", number, write.deliveries));
    }
    if (delivery_is_checked_ && write.state == State::acknowledged && write.deliveries == 0) {
      note(wrong[number], lost, verdict,
           fmt::format("lost: #{}, message {}, was never shown to whom it was sent", number, write.id));
    }
  }
}

Verdict Record::check(const std::vector<std::vector<Found>>& held) const {
  Verdict verdict{.counts = counts_};
  std::vector<std::uint8_t> wrong(writes_.size(), 0);
  for (std::size_t node = 0; node < held.size(); ++node) {
    check_node(node + 1, held[node], wrong, verdict);
  }
  check_delivery(wrong, verdict);
  for (const std::uint8_t faults : wrong) {
    verdict.lost += (faults & lost) != 0 ? 1 : 0;
    verdict.doubled += (faults & doubled) != 0 ? 1 : 0;
    verdict.resurrected += (faults & resurrected) != 0 ? 1 : 0;
    verdict.misordered += (faults & misordered) != 0 ? 1 : 0;
  }
  return verdict;
}

std::string tagged(const std::string& text, std::size_t number) {
  return fmt::format("{} #{}", text, number);
}

std::optional<std::size_t> number_of(const std::string& body) {
  const auto at = body.rfind(" #");
  if (at == std::string::npos) {
    return std::nullopt;
  }
  const char* const end = body.data() + body.size();
  std::size_t number = 0;
  const auto [parsed, wrong] = std::from_chars(body.data() + at + 2, end, number);
  return wrong == std::errc() && parsed == end ? std::optional(number) : std::nullopt;
}

}  // namespace parley::demo
