// Seeded random input: valid requests of every method with one field or one byte changed. Nothing crashes,
// and whatever is refused has changed no row of any table but the results.
#include <SQLiteCpp/SQLiteCpp.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tests/service/api.h"
#include "tests/support/mutator.h"

namespace parley::test {
namespace {

using google::protobuf::Message;

constexpr std::uint32_t kSeed = 20'261'120;
constexpr int kRoundsPerMethod = 60;

// Columns that move with every entry of the log, also with one that was refused.
constexpr std::array<std::string_view, 4> kMovesWithTheLog = {
    "state.applied",          // its position
    "state.cluster_time_ms",  // its stamp
    "state.wall_unix_ms",     // the same
    "state.results",          // the rows of `result`, which remembers refusals
};

// Every row of every table, in text; but `result`.
std::vector<std::string> all_rows(const std::string& path) {
  const SQLite::Database db(path, SQLite::OPEN_READONLY);
  std::vector<std::string> tables;
  SQLite::Statement names(db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'result'");
  while (names.executeStep()) {
    tables.push_back(names.getColumn(0).getString());
  }
  std::vector<std::string> rows;
  for (const auto& table : tables) {
    SQLite::Statement query(db, "SELECT * FROM " + table);
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

base::Result<std::string> call_any(Api& api, const service::MethodInfo& method, const std::string& bytes,
                                   const User& user) {
  if (method.kind == service::MethodKind::unary) {
    return api.raw(method.service, method.name, bytes, user.authorization());
  }
  const auto recorder = std::make_shared<Recorder>();
  const auto handle = api.service->open(*service::find_method(method.service, method.name), bytes,
                                        {.authorization = user.authorization()}, recorder);
  const auto first = recorder->next_bytes();
  return first ? base::Result<std::string>(*first) : std::unexpected(*recorder->wait_for_end());
}

struct Counts {
  int sent = 0;
  int decoded = 0;
  int refused = 0;
};

class RandomInput : public ::testing::TestWithParam<std::size_t> {};

TEST_P(RandomInput, ChangesNothingThatIsRefused) {
  google::protobuf::SetLogHandler(nullptr);
  const auto& method = service::methods()[GetParam()];
  const auto* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
      "parley.v1." + std::string(method.name) + "Request");
  ASSERT_NE(type, nullptr);
  Api api;
  testing::Mutator mutator(kSeed + static_cast<std::uint32_t>(GetParam()));
  User user = api.create("mallory0");
  auto message_id = api.send(user, user.name, "before").id();
  auto rows = all_rows(api.node.state_path());
  google::protobuf::DynamicMessageFactory factory;
  Counts counts;
  for (int round = 0; round < kRoundsPerMethod; ++round) {
    const std::unique_ptr<Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
    testing::fill_valid(*message, {.name = user.name,
                                   .password = user.password,
                                   .account_id = user.id,
                                   .message_id = message_id,
                                   .request_id = fresh_request_id(api.node)});
    std::string bytes;
    if (mutator.below(3) == 0) {
      bytes = message->SerializeAsString();
      mutator.mutate_byte(bytes);
    } else {
      mutator.mutate(*message);
      bytes = message->SerializePartialAsString();
    }
    ++counts.sent;
    const std::unique_ptr<Message> decoded(message->New());
    counts.decoded += decoded->ParseFromString(bytes) ? 1 : 0;
    const auto result = call_any(api, method, bytes, user);
    if (!result) {
      ++counts.refused;
      EXPECT_NE(result.error().code, base::Code::internal) << result.error().message;
      EXPECT_EQ(all_rows(api.node.state_path()), rows) << method.name << " round " << round;
      continue;
    }
    // Still a valid request: what it changed is its right.
    if (!api.call<v1::GetStatusResponse>(v1::GetStatusRequest(), user.authorization())) {
      user = api.create("mallory" + std::to_string(round + 1));
      message_id = api.send(user, user.name, "before").id();
    }
    rows = all_rows(api.node.state_path());
  }
  EXPECT_GE(10 * counts.decoded, 3 * counts.sent) << "too many of them do not even decode";
  RecordProperty("decoded", counts.decoded);
  RecordProperty("refused", counts.refused);
}

INSTANTIATE_TEST_SUITE_P(Methods, RandomInput, ::testing::Range<std::size_t>(0, service::methods().size()),
                         [](const auto& info) { return std::string(service::methods()[info.param].name); });

}  // namespace
}  // namespace parley::test
