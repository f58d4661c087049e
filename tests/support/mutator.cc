#include "tests/support/mutator.h"

#include <google/protobuf/descriptor.h>

#include <array>
#include <cstddef>

namespace parley::testing {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void fill_valid(Message& message, const ValidFields& fields) {
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const auto* field = message.GetDescriptor()->field(i);
    const std::string& name = field->name();
    if (name == "name" || name == "recipient" || name == "peer") {
      reflection->SetString(&message, field, fields.name);
    } else if (name == "password" || name == "new_password") {
      reflection->SetString(&message, field, fields.password);
    } else if (name == "body") {
      reflection->SetString(&message, field, "hello");
    } else if (name == "pattern") {
      reflection->SetString(&message, field, "*");
    } else if (name == "request_id") {
      reflection->SetString(&message, field, fields.request_id);
    } else if (name == "message_ids") {
      reflection->AddUInt64(&message, field, fields.message_id);
    } else if (name == "recipient_id") {
      reflection->SetUInt64(&message, field, fields.account_id);
    } else if (name == "page_size") {
      reflection->SetInt32(&message, field, 10);
    } else if (name == "interval_ms") {
      reflection->SetUInt32(&message, field, 1'000);
    }
  }
}

std::uint64_t Mutator::below(std::uint64_t bound) {
  return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random_);
}

std::string Mutator::text() {
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

std::uint64_t Mutator::number() {
  static constexpr std::array<std::uint64_t, 6> kNumbers = {0, 1, 2, 501, 0xffff'ffff, ~0ULL};
  return below(3) == 0 ? random_() : kNumbers.at(below(kNumbers.size()));
}

void Mutator::mutate(Message& message) {
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

void Mutator::mutate_byte(std::string& bytes) {
  if (!bytes.empty()) {
    bytes[below(bytes.size())] = static_cast<char>(below(256));
  }
}

}  // namespace parley::testing
