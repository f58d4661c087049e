#include "tests/node/cluster.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <future>

#include "base/ensure.h"
#include "tests/support/wait_until.h"

namespace parley::node::testing {
namespace {

using parley::testing::wait_until;

}  // namespace

std::int64_t unix_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "parley-node-XXXXXX").string();
  base::ensure(mkdtemp(pattern.data()) != nullptr, "a temporary folder can be made");
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

chat::SessionHash session_of(std::uint64_t number) {
  chat::SessionHash hash;
  std::memcpy(hash.bytes.data(), &number, sizeof number);
  hash.bytes.back() = 1;
  return hash;
}

TestCluster::TestCluster(std::uint32_t size, Adjust adjust)
    : size_(size), adjust_(std::move(adjust)), files_(wal::make_posix_file_system()) {}

TestCluster::~TestCluster() {
  // A test that failed half-way may have left them so: a disk thread that hangs could not be joined.
  for (auto& [id, disk] : stalling_disks_) {
    disk.set_stalled(false);
  }
  for (auto& [id, node] : nodes_) {
    node.replica->kill();
  }
}

std::string TestCluster::folder(std::uint32_t id) const { return folder_.path() + "/" + std::to_string(id); }

std::string TestCluster::address(std::uint32_t id) const {
  return "node" + std::to_string(id) + ":" + std::to_string(7701 + address_round_);
}

std::vector<ListedNode> TestCluster::list() const {
  std::vector<ListedNode> list;
  for (std::uint32_t id = 1; id <= size_; ++id) {
    list.push_back({base::NodeId(id), address(id)});
  }
  return list;
}

void TestCluster::move_all_addresses() { ++address_round_; }

void TestCluster::use_stalling_disks() {
  for (std::uint32_t id = 1; id <= size_; ++id) {
    set_disk(id, stalling_disks_[id]);
  }
}

void TestCluster::start(std::uint32_t id) {
  ReplicaOptions options;
  options.id = base::NodeId(id);
  options.data_folder = folder(id);
  options.founders = lists_.contains(id) ? lists_.at(id) : list();
  options.peer_address = address(id);
  options.client_address = "client" + std::to_string(id) + ":7700";
  options.http_address = "http" + std::to_string(id) + ":8080";
  options.log.segment_size_bytes = 256UL * 1024;
  // A busy machine is no bug: what is asked once is answered, though no leader is found for a while.
  options.limits.no_leader_answer = std::chrono::seconds(20);
  if (adjust_) {
    adjust_(options);
  }
  Node node;
  node.transport = std::make_unique<InMemoryTransport>(network_, address(id));
  wal::FileSystem& disk = disks_.contains(id) ? *disks_.at(id) : *files_;
  auto opened = Replica::open(std::move(options), disk, *node.transport);
  ASSERT_TRUE(opened.has_value()) << opened.error();
  node.replica = std::move(*opened);
  nodes_[id] = std::move(node);
}

void TestCluster::start_all() {
  for (std::uint32_t id = 1; id <= size_; ++id) {
    if (!is_running(id)) {
      start(id);
    }
  }
}

void TestCluster::stop(std::uint32_t id) {
  nodes_.at(id).replica->stop();
  nodes_.erase(id);
}

void TestCluster::kill(std::uint32_t id) {
  nodes_.at(id).replica->kill();
  nodes_.erase(id);
}

void TestCluster::wipe(std::uint32_t id) const {
  base::ensure(!is_running(id), "only a stopped node is wiped");
  std::filesystem::remove_all(folder(id));
}

void TestCluster::wipe_log(std::uint32_t id) const {
  base::ensure(!is_running(id), "only a stopped node is wiped");
  std::filesystem::remove_all(folder(id) + "/log");
}

std::uint32_t TestCluster::wait_for_leader() {
  std::uint32_t leader = 0;
  EXPECT_TRUE(wait_until([&] {
    for (auto& [id, node] : nodes_) {
      const NodeStatus status = node.replica->status();
      if (status.is_leader && status.writable) {
        leader = id;
      }
    }
    return leader != 0;
  })) << "no leader";
  return leader;
}

std::uint32_t TestCluster::other_than(std::uint32_t id) const {
  for (const auto& [other, node] : nodes_) {
    if (other != id) {
      return other;
    }
  }
  return 0;
}

void TestCluster::wait_until_equal() {
  // Behind its barrier, a node has applied everything that was acknowledged before.
  for (auto& [id, node] : nodes_) {
    EXPECT_TRUE(wait_until([&] {
      return read(id, ReadMode::linearizable, [](chat::Reader&) {}).has_value();
    })) << "node "
        << id << " does not come to the same position";
  }
}

WriteResult TestCluster::write(std::uint32_t id, chat::Command command, std::chrono::milliseconds deadline) {
  auto promise = std::make_shared<std::promise<WriteResult>>();
  auto future = promise->get_future();
  node(id).write(std::move(command), std::chrono::steady_clock::now() + deadline,
                 [promise](WriteResult result) { promise->set_value(std::move(result)); });
  return future.get();
}

WriteResult TestCluster::write_until_known(std::uint32_t id, const chat::Command& command) {
  WriteResult result = std::unexpected(base::Error{});
  EXPECT_TRUE(wait_until([&] {
    const std::uint32_t at = is_running(id) ? id : nodes_.begin()->first;
    result = write(at, command);
    if (result) {
      return true;
    }
    return result.error().outcome == base::Outcome::refused &&
           result.error().code != base::Code::unavailable &&
           result.error().code != base::Code::deadline_exceeded &&
           result.error().code != base::Code::resource_exhausted;
  })) << "a write whose outcome stays unknown";
  return result;
}

base::Result<AsOf> TestCluster::read(std::uint32_t id, ReadMode mode,
                                     const std::function<void(chat::Reader&)>& query,
                                     std::chrono::milliseconds deadline) {
  auto promise = std::make_shared<std::promise<base::Result<AsOf>>>();
  auto future = promise->get_future();
  node(id).read(mode, std::chrono::steady_clock::now() + deadline,
                [promise, query](base::Result<chat::Reader*> reader, const AsOf& as_of) {
                  if (!reader) {
                    promise->set_value(std::unexpected(reader.error()));
                    return;
                  }
                  query(**reader);
                  promise->set_value(as_of);
                });
  return future.get();
}

chat::RequestKey TestCluster::new_request() {
  const std::uint64_t number = next_random_++;
  std::array<std::uint8_t, 10> random{};
  std::memcpy(random.data() + 2, &number, sizeof number);
  return {.id = base::make_request_id(unix_ms(), random), .content_digest = number};
}

TestUser TestCluster::make_user(std::uint32_t through, const std::string& name) {
  const chat::SessionHash session = session_of(next_random_++);
  const auto result = write_until_known(
      through,
      chat::CreateAccount{
          .request = new_request(), .name = name, .password_hash = "$argon2id$fake", .session = session});
  EXPECT_TRUE(result && result->verdict == chat::Verdict::done) << name;
  return {name, result ? result->account : chat::AccountId(), session};
}

chat::SendMessage TestCluster::message(const TestUser& from, const TestUser& to, const std::string& body) {
  return {.request = new_request(),
          .authority = {from.account, from.session},
          .recipient = to.name,
          .recipient_id = to.account,
          .body = body};
}

std::vector<std::string> TestCluster::inbox(std::uint32_t id, ReadMode mode, const TestUser& user) {
  std::vector<std::string> bodies;
  const auto done = read(id, mode, [&](chat::Reader& reader) {
    std::string token;
    do {
      auto page = reader.messages(user.account, {.page = {.page_size = 500, .page_token = token}});
      ASSERT_TRUE(page.has_value()) << page.error().message;
      for (const chat::Message& message : page->items) {
        bodies.push_back(message.body);
      }
      token = page->next_page_token;
    } while (!token.empty());
  });
  EXPECT_TRUE(done.has_value()) << done.error().message;
  return bodies;
}

}  // namespace parley::node::testing
