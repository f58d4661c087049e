#include "raft/codec.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "base/byte_reader.h"
#include "base/ensure.h"
#include "base/little_endian.h"
#include "raft/membership.h"

namespace parley::raft {
namespace {

using base::append_le;

constexpr std::uint8_t kConfigurationLayout = 1;
constexpr std::uint8_t kFoundingLayout = 1;
constexpr std::uint8_t kLeavesJointByItself = 1;  // the only flag of a configuration
constexpr std::size_t kMaxMembersOfList = 1024;
constexpr std::size_t kMaxStateSeedBytes = 64;

void append_members(std::string& out, const std::vector<Member>& members) {
  for (const Member& member : members) {
    append_le(out, member.id.value());
    append_le(out, member.incarnation.value());
  }
}

void append_count(std::string& out, const std::vector<Member>& members) {
  base::ensure(members.size() <= kMaxMembersOfList, "a list of members is longer than the format allows");
  append_le(out, static_cast<std::uint16_t>(members.size()));
}

std::expected<std::vector<Member>, std::string> take_members(base::ByteReader& reader, std::uint16_t count) {
  std::vector<Member> members;
  members.reserve(count);
  NodeId previous;  // 0: so an id of 0 is refused with the unsorted ones
  for (std::uint16_t i = 0; i < count; ++i) {
    const NodeId id(reader.take<std::uint32_t>());
    const Incarnation incarnation(reader.take<std::uint64_t>());
    if (reader.failed()) {
      return std::unexpected("a list of members ends too early");
    }
    if (id <= previous) {
      return std::unexpected("a list of members is not sorted by id, or names one twice");
    }
    if (incarnation.is_none()) {
      return std::unexpected("a member without an incarnation");
    }
    members.push_back({.id = id, .incarnation = incarnation});
    previous = id;
  }
  return members;
}

}  // namespace

std::string encode(const Configuration& configuration) {
  std::string out;
  append_le(out, kConfigurationLayout);
  append_le(out, static_cast<std::uint8_t>(configuration.leaves_joint_by_itself ? kLeavesJointByItself : 0));
  const std::vector<Member>* const lists[] = {&configuration.voters, &configuration.outgoing_voters,
                                              &configuration.learners, &configuration.next_learners};
  for (const auto* list : lists) append_count(out, *list);
  for (const auto* list : lists) append_members(out, *list);
  return out;
}

std::string encode(const Founding& founding) {
  base::ensure(founding.state_seed.size() <= kMaxStateSeedBytes,
               "a state seed is longer than the format allows");
  std::string out;
  append_le(out, kFoundingLayout);
  append_le(out, static_cast<std::uint8_t>(founding.state_seed.size()));
  for (const std::uint8_t byte : founding.cluster_id.bytes) append_le(out, byte);
  out += founding.state_seed;
  out += encode(founding.configuration);
  return out;
}

std::expected<Configuration, std::string> decode_configuration(std::string_view bytes) {
  base::ByteReader reader(bytes);
  if (reader.take<std::uint8_t>() != kConfigurationLayout) {
    return std::unexpected("a configuration of a layout that this program does not know");
  }
  const auto flags = reader.take<std::uint8_t>();
  if ((flags & ~kLeavesJointByItself) != 0) {
    return std::unexpected("a configuration with flags that this program does not know");
  }
  Configuration configuration;
  configuration.leaves_joint_by_itself = (flags & kLeavesJointByItself) != 0;
  std::vector<Member>* const lists[] = {&configuration.voters, &configuration.outgoing_voters,
                                        &configuration.learners, &configuration.next_learners};
  std::uint16_t counts[std::size(lists)] = {};
  for (std::uint16_t& count : counts) {
    count = reader.take<std::uint16_t>();
    if (reader.failed()) {
      return std::unexpected("a configuration ends within its head");
    }
    if (count > kMaxMembersOfList) {
      return std::unexpected("a configuration with more members than the format allows");
    }
  }
  for (std::size_t i = 0; i < std::size(lists); ++i) {
    auto members = take_members(reader, counts[i]);
    if (!members) {
      return std::unexpected(members.error());
    }
    *lists[i] = std::move(*members);
  }
  if (reader.left_bytes() != 0) {
    return std::unexpected("bytes behind the end of a configuration");
  }
  return configuration;
}

std::expected<Founding, std::string> decode_founding(std::string_view bytes) {
  base::ByteReader reader(bytes);
  if (reader.take<std::uint8_t>() != kFoundingLayout) {
    return std::unexpected("a founding entry of a layout that this program does not know");
  }
  const std::size_t state_seed_bytes = reader.take<std::uint8_t>();
  if (state_seed_bytes > kMaxStateSeedBytes) {
    return std::unexpected("a founding entry with a state seed longer than the format allows");
  }
  Founding founding;
  for (std::uint8_t& byte : founding.cluster_id.bytes) byte = reader.take<std::uint8_t>();
  founding.state_seed = reader.take_bytes(state_seed_bytes);
  if (reader.failed()) {
    return std::unexpected("a founding entry ends within its head");
  }
  auto configuration = decode_configuration(reader.take_bytes(reader.left_bytes()));
  if (!configuration) {
    return std::unexpected(configuration.error());
  }
  founding.configuration = std::move(*configuration);
  return founding;
}

std::expected<std::optional<Configuration>, std::string> configuration_of(const Entry& entry) {
  Configuration configuration;
  if (entry.kind == EntryKind::founding) {
    auto founding = decode_founding(entry.data.view());
    if (!founding) return std::unexpected(founding.error());
    configuration = std::move(founding->configuration);
  } else if (entry.kind == EntryKind::configuration) {
    auto decoded = decode_configuration(entry.data.view());
    if (!decoded) return std::unexpected(decoded.error());
    configuration = std::move(*decoded);
  } else {
    return std::nullopt;
  }
  if (auto valid = validate(configuration); !valid) return std::unexpected(valid.error());
  return configuration;
}

}  // namespace parley::raft
