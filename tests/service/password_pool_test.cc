// PasswordPool: right, wrong, nobody there, and no memory to find out, which is neither.
#include "service/password_pool.h"

#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <future>
#include <string>

namespace parley::service {
namespace {

constexpr std::size_t kMemory_bytes = 64UL * 1024 * 1024;

class Passwords : public ::testing::Test {
 protected:
  base::Result<std::string> hash(std::string password) {
    std::promise<base::Result<std::string>> promise;
    auto answer = promise.get_future();
    pool_.hash(std::move(password), deadline(), [&](auto result) { promise.set_value(std::move(result)); });
    return answer.get();
  }
  base::Result<bool> verify(std::string hash, std::string password) {
    std::promise<base::Result<bool>> promise;
    auto answer = promise.get_future();
    pool_.verify(std::move(hash), std::move(password), deadline(),
                 [&](auto result) { promise.set_value(std::move(result)); });
    return answer.get();
  }

 private:
  static node::Deadline deadline() { return std::chrono::steady_clock::now() + std::chrono::minutes(5); }

  PasswordPool pool_{{.passes = 1, .memory_size_bytes = kMemory_bytes}, 1, 10};
};

// While it lives, this process gets no more than some MiB on top of what it has.
class NoMoreMemory {
 public:
  NoMoreMemory() {
    getrlimit(RLIMIT_AS, &before_);
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit = before_;
    limit.rlim_cur = pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) + kMemory_bytes / 4;
    EXPECT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  }
  ~NoMoreMemory() { setrlimit(RLIMIT_AS, &before_); }
  NoMoreMemory(const NoMoreMemory&) = delete;
  NoMoreMemory& operator=(const NoMoreMemory&) = delete;

 private:
  rlimit before_{};
};

// Whoever steals a state pays so much for each guess.
TEST(PasswordCosts, AreByDefaultWhatLibsodiumAdvisesForLogIns) {
  const PasswordCost cost = ServiceOptions().password_cost;
  EXPECT_EQ(cost.passes, crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE);
  EXPECT_EQ(cost.memory_size_bytes, crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE);
  PasswordPool pool(cost, 1, 1);
  std::promise<base::Result<std::string>> promise;
  pool.hash("correct horse", std::chrono::steady_clock::now() + std::chrono::minutes(5),
            [&](auto result) { promise.set_value(std::move(result)); });
  const auto hashed = promise.get_future().get();
  ASSERT_TRUE(hashed.has_value()) << hashed.error().message;
  EXPECT_TRUE(hashed->starts_with("$argon2id$v=19$m=65536,t=2,p=1$")) << *hashed;
}

TEST_F(Passwords, RightWrongAndNobodyThere) {
  const auto hashed = hash("correct horse");
  ASSERT_TRUE(hashed.has_value());
  EXPECT_EQ(verify(*hashed, "correct horse"), base::Result<bool>(true));
  EXPECT_EQ(verify(*hashed, "correct horsf"), base::Result<bool>(false));
  EXPECT_EQ(verify({}, "correct horse"), base::Result<bool>(false));
  EXPECT_EQ(verify("$argon2id$v=19$m=65536,t=1,p=1$no", "correct horse"), base::Result<bool>(false));
}

// Strings that libsodium made, of any cost, mean the same to it and to the pool.
TEST_F(Passwords, OfAnotherCostAsWell) {
  std::array<char, crypto_pwhash_STRBYTES> text{};
  ASSERT_EQ(crypto_pwhash_str(text.data(), "other", 5, 3, 1UL << 20), 0);
  EXPECT_EQ(verify(text.data(), "other"), base::Result<bool>(true));
  EXPECT_EQ(verify(text.data(), "otter"), base::Result<bool>(false));
}

TEST_F(Passwords, WithoutMemoryItIsAnErrorAndNotAWrongPassword) {
  const auto hashed = hash("correct horse");
  ASSERT_TRUE(hashed.has_value());
  base::Result<bool> answer = true;
  {
    const NoMoreMemory none;
    answer = verify(*hashed, "correct horse");
  }
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, base::Code::resource_exhausted);
  EXPECT_EQ(answer.error().outcome, base::Outcome::refused);
  EXPECT_EQ(verify(*hashed, "correct horse"), base::Result<bool>(true)) << "with memory it goes on";
}

}  // namespace
}  // namespace parley::service
