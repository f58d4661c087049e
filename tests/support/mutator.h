// Mutator: valid requests of any method, and one field or one byte of them changed, from a seed.
// Owned by: a test. One thread.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <random>
#include <string>

namespace parley::testing {

// What a valid request is made of.
struct ValidFields {
  std::string name;
  std::string password;
  std::uint64_t account_id = 0;
  std::uint64_t message_id = 0;
  std::string request_id;
};

// Each field by its name.
void fill_valid(google::protobuf::Message& message, const ValidFields& fields);

class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {}

  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
  // Another value for one field, of a scalar type or repeated numbers.
  void mutate(google::protobuf::Message& message);
  void mutate_byte(std::string& bytes);

 private:
  [[nodiscard]] std::string text();
  [[nodiscard]] std::uint64_t number();

  std::mt19937_64 random_;
};

}  // namespace parley::testing
