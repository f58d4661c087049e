// Seeded random input against a real cluster: valid requests of every method with one field or one byte
// changed, to one node after the other. Nothing crashes, and whatever is refused has changed no row of any
// table but the results.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/request_ids.h"
#include "tests/process/case_checks.h"
#include "tests/process/cluster.h"
#include "tests/process/person.h"
#include "tests/process/raw_api.h"
#include "tests/support/mutator.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

constexpr std::uint32_t kSeed = 20'261'121;
constexpr int kRoundsPerMethod = 24;

std::vector<const MethodDescriptor*> all_methods() {
  std::vector<const MethodDescriptor*> methods;
  const auto* file = v1::SendMessageRequest::descriptor()->file();
  for (int i = 0; i < file->service_count(); ++i) {
    for (int j = 0; j < file->service(i)->method_count(); ++j) {
      methods.push_back(file->service(i)->method(j));
    }
  }
  return methods;
}

// Columns that move with every entry of the log, also with one that was refused.
constexpr std::array<std::string_view, 4> kMovesWithTheLog = {
    "state.applied",          // its position
    "state.cluster_time_ms",  // its stamp
    "state.wall_unix_ms",     // the same
    "state.results",          // the rows of `result`, which remembers refusals
};

// Every row of every table, in text; but `result`.
std::vector<std::string> all_rows(SQLite::Database& state) {
  std::vector<std::string> tables;
  SQLite::Statement names(state, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'result'");
  while (names.executeStep()) {
    tables.push_back(names.getColumn(0).getString());
  }
  std::vector<std::string> rows;
  for (const auto& table : tables) {
    SQLite::Statement query(state, "SELECT * FROM " + table);
    while (query.executeStep()) {
      std::string row = table;
      for (int i = 0; i < query.getColumnCount(); ++i) {
        const std::string column = table + "." + query.getColumnName(i);
        if (std::ranges::find(kMovesWithTheLog, column) == kMovesWithTheLog.end()) {
          row += "|" + query.getColumn(i).getString();
        }
      }
      rows.push_back(row);
    }
  }
  std::ranges::sort(rows);
  return rows;
}

class RandomInputSuite : public ::testing::TestWithParam<const MethodDescriptor*> {
 protected:
  static void SetUpTestSuite() {
    google::protobuf::SetLogHandler(nullptr);
    shared_cluster = std::make_unique<Cluster>(3);
    shared_cluster->wait_for_leader();
    // The nodes write their rows of `node` themselves, once.
    for (const int node : shared_cluster->ids()) {
      const auto state = open_state(node);
      EXPECT_TRUE(wait_until([&] {
        return state->execAndGet("SELECT count(*) FROM node").getInt() == shared_cluster->size();
      })) << "node "
          << node;
    }
  }
  static void TearDownTestSuite() { shared_cluster.reset(); }

  [[nodiscard]] static std::unique_ptr<SQLite::Database> open_state(int node) {
    return std::make_unique<SQLite::Database>((shared_cluster->data_folder(node) / "state.db").string(),
                                              SQLite::OPEN_READONLY, 10'000);
  }

  RandomInputSuite() {
    for (const int node : shared_cluster->ids()) {
      apis_.push_back(grpc_api(*shared_cluster, {node}));
      raw_apis_.push_back(raw_grpc_api(*shared_cluster, node));
      states_.push_back(open_state(node));
    }
  }

  [[nodiscard]] ApiUnderTest& api(int node) { return *apis_[static_cast<std::size_t>(node - 1)]; }

  [[nodiscard]] RawApi& raw_api(int node) { return *raw_apis_[static_cast<std::size_t>(node - 1)]; }

  void renew_user() {
    static int number = 0;
    world_.api = apis_.front().get();
    user_ = std::make_unique<Person>(world_, fmt::format("mallory{}", ++number));
    PARLEY_ASSERT_OK(user_->sign_up());
    const auto sent = user_->send(user_->name(), "before");
    PARLEY_ASSERT_OK(sent);
    message_id_ = sent->id();
  }

  // As this node has applied it once whatever was answered before has been, and nothing is left to be swept.
  [[nodiscard]] std::vector<std::string> rows_at(int node) {
    auto& state = *states_[static_cast<std::size_t>(node - 1)];
    EXPECT_TRUE(wait_until([&] {
      // A linearizable read: what it looked at is committed.
      v1::GetAccountRequest look;
      look.set_name(user_->name());
      v1::GetAccountResponse found;
      return api(node).call("GetAccount", user_->token(), look, found).has_value() &&
             state.execAndGet("SELECT count(*) FROM deletion").getInt() == 0;
    }));
    return all_rows(state);
  }

  static std::unique_ptr<Cluster> shared_cluster;

  World world_;
  std::vector<std::unique_ptr<ApiUnderTest>> apis_;        // by id - 1
  std::vector<std::unique_ptr<RawApi>> raw_apis_;          // the same
  std::vector<std::unique_ptr<SQLite::Database>> states_;  // the same
  std::unique_ptr<Person> user_;
  std::uint64_t message_id_ = 0;
};

std::unique_ptr<Cluster> RandomInputSuite::shared_cluster;

TEST_P(RandomInputSuite, WhatIsRefusedChangesNothing) {
  const MethodDescriptor& method = *GetParam();
  Mutator mutator(kSeed + static_cast<std::uint32_t>(method.full_name().size()) +
                  100U * static_cast<std::uint32_t>(method.index()));
  ASSERT_NO_FATAL_FAILURE(renew_user());
  auto rows = rows_at(1);
  // A watch from a position that is not there yet waits, as it should.
  const std::chrono::milliseconds limit = std::chrono::seconds(method.server_streaming() ? 1 : 60);
  int decoded = 0;
  int refused = 0;
  int unknown = 0;
  for (int round = 0; round < kRoundsPerMethod; ++round) {
    const int node = 1 + round % shared_cluster->size();
    const std::unique_ptr<Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(method.input_type())->New());
    fill_valid(*message, {.name = user_->name(),
                          .password = user_->password(),
                          .account_id = user_->id(),
                          .message_id = message_id_,
                          .request_id = client::RequestIds({}).make()});
    std::string bytes;
    if (mutator.below(3) == 0) {
      bytes = message->SerializeAsString();
      mutator.mutate_byte(bytes);
    } else {
      mutator.mutate(*message);
      bytes = message->SerializePartialAsString();
    }
    decoded += std::unique_ptr<Message>(message->New())->ParseFromString(bytes) ? 1 : 0;
    const auto answer =
        raw_api(node).call_bytes(method.service()->full_name(), method.name(), user_->token(), bytes, limit);
    if (!answer) {
      EXPECT_NE(base::to_string(answer.error().code), "INTERNAL") << answer.error().message;
      EXPECT_NE(answer.error().message, "");
    }
    if (!answer && answer.error().outcome == base::Outcome::refused) {
      ++refused;
      EXPECT_EQ(rows_at(node), rows) << method.name() << ", round " << round << ": "
                                     << answer.error().message;
      continue;
    }
    // Still a valid request: what it changed is its right. So it is where the outcome is unknown, as at a
    // change of leader.
    unknown += answer ? 0 : 1;
    if (!user_->unread().has_value()) {
      ASSERT_NO_FATAL_FAILURE(renew_user());
    }
    rows = rows_at(node);
  }
  // A stream that has nothing to tell ends with its time.
  EXPECT_TRUE(method.server_streaming() || unknown <= kRoundsPerMethod / 4) << unknown << " are unknown";
  EXPECT_GE(10 * decoded, 3 * kRoundsPerMethod) << "too many of them do not even decode";
  for (const int node : shared_cluster->ids()) {
    EXPECT_TRUE(shared_cluster->is_running(node)) << "node " << node;
    EXPECT_EQ(rows_at(node), rows) << "node " << node;
  }
  RecordProperty("decoded", decoded);
  RecordProperty("refused", refused);
}

INSTANTIATE_TEST_SUITE_P(RandomInputSuite, RandomInputSuite, ::testing::ValuesIn(all_methods()),
                         [](const auto& info) { return info.param->name(); });

}  // namespace
}  // namespace parley::testing
