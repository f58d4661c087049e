// Seeded random input: valid requests of every method with one field or one byte changed. Nothing crashes,
// and whatever is refused has changed no row of any table but the results.
#include <SQLiteCpp/SQLiteCpp.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/service/api.h"

namespace parley::test {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::uint32_t kSeed = 20'261'120;
constexpr int kRoundsPerMethod = 60;

// Every row of every table, in text; but `result`, which remembers refusals, and `state`, which counts
// positions.
std::vector<std::string> all_rows(const std::string& path) {
  const SQLite::Database db(path, SQLite::OPEN_READONLY);
  std::vector<std::string> tables;
  SQLite::Statement names(
      db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('result', 'state')");
  while (names.executeStep()) {
    tables.push_back(names.getColumn(0).getString());
  }
  std::vector<std::string> rows;
  for (const auto& table : tables) {
    SQLite::Statement query(db, "SELECT * FROM " + table);
    while (query.executeStep()) {
      std::string row = table;
      for (int i = 0; i < query.getColumnCount(); ++i) {
        row += "|" + query.getColumn(i).getString();
      }
      rows.push_back(row);
    }
  }
  std::ranges::sort(rows);
  return rows;
}

class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random_);
  }

  std::string text() {
    static constexpr std::array<std::size_t, 10> kSizes = {0, 1, 5, 31, 33, 64, 65, 129, 16'385, 20'000};
    std::string bytes(kSizes.at(below(kSizes.size())), ' ');
    const auto kind = below(4);
    for (auto& c : bytes) {
      c = static_cast<char>(kind == 0   ? below(256)
                            : kind == 1 ? below(32)
                            : kind == 2 ? 'a' + below(26)
                                        : ' ' + below(95));
    }
    return bytes;
  }

  std::uint64_t number() {
    static constexpr std::array<std::uint64_t, 6> kNumbers = {0, 1, 2, 501, 0xffff'ffff, ~0ULL};
    return below(3) == 0 ? random_() : kNumbers.at(below(kNumbers.size()));
  }

  // Another value for one field.
  void mutate(Message& message) {
    const auto* type = message.GetDescriptor();
    if (type->field_count() == 0) {
      return;
    }
    const auto* field = type->field(static_cast<int>(below(static_cast<std::uint64_t>(type->field_count()))));
    const auto* reflection = message.GetReflection();
    if (field->is_repeated()) {
      reflection->ClearField(&message, field);
      const auto count = below(2) == 0 ? below(4) : 1'001;
      for (std::uint64_t i = 0; i < count; ++i) {
        reflection->AddUInt64(&message, field, number());
      }
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      reflection->SetString(&message, field, text());
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT64) {
      reflection->SetUInt64(&message, field, number());
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
      reflection->SetUInt32(&message, field, static_cast<std::uint32_t>(number()));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
      reflection->SetInt32(&message, field, static_cast<std::int32_t>(static_cast<std::uint32_t>(number())));
    } else {
      reflection->SetBool(&message, field, below(2) == 0);
    }
  }

  void mutate_byte(std::string& bytes) {
    if (!bytes.empty()) {
      bytes[below(bytes.size())] = static_cast<char>(below(256));
    }
  }

 private:
  std::mt19937_64 random_;
};

// A valid request of any method: each field by its name.
void fill_valid(Message& message, const Api& api, const User& user, std::uint64_t message_id) {
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const auto* field = message.GetDescriptor()->field(i);
    const std::string& name = field->name();
    if (name == "name" || name == "recipient" || name == "peer") {
      reflection->SetString(&message, field, user.name);
    } else if (name == "password" || name == "new_password") {
      reflection->SetString(&message, field, user.password);
    } else if (name == "body") {
      reflection->SetString(&message, field, "hello");
    } else if (name == "pattern") {
      reflection->SetString(&message, field, "*");
    } else if (name == "request_id") {
      reflection->SetString(&message, field, fresh_request_id(api.node));
    } else if (name == "message_ids") {
      reflection->AddUInt64(&message, field, message_id);
    } else if (name == "recipient_id") {
      reflection->SetUInt64(&message, field, user.id);
    } else if (name == "page_size") {
      reflection->SetInt32(&message, field, 10);
    } else if (name == "interval_ms") {
      reflection->SetUInt32(&message, field, 1'000);
    }
  }
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

class RandomInput : public testing::TestWithParam<std::size_t> {};

TEST_P(RandomInput, ChangesNothingThatIsRefused) {
  google::protobuf::SetLogHandler(nullptr);
  const auto& method = service::methods()[GetParam()];
  const auto* type = google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
      "parley.v1." + std::string(method.name) + "Request");
  ASSERT_NE(type, nullptr);
  Api api;
  Mutator mutator(kSeed + static_cast<std::uint32_t>(GetParam()));
  User user = api.create("mallory0");
  auto message_id = api.send(user, user.name, "before").id();
  auto rows = all_rows(api.node.state_path());
  google::protobuf::DynamicMessageFactory factory;
  Counts counts;
  for (int round = 0; round < kRoundsPerMethod; ++round) {
    const std::unique_ptr<Message> message(
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
    fill_valid(*message, api, user, message_id);
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

INSTANTIATE_TEST_SUITE_P(Methods, RandomInput, testing::Range<std::size_t>(0, service::methods().size()),
                         [](const auto& info) { return std::string(service::methods()[info.param].name); });

}  // namespace
}  // namespace parley::test
