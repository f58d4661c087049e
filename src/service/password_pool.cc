#include "service/password_pool.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

#include "base/ensure.h"

namespace parley::service {
namespace {

std::string argon2id(std::string_view password, const PasswordCost& cost) {
  std::array<char, crypto_pwhash_STRBYTES> text{};
  const int failed = crypto_pwhash_str_alg(text.data(), password.data(), password.size(), cost.passes,
                                           cost.memory_size_bytes, crypto_pwhash_ALG_ARGON2ID13);
  return failed == 0 ? std::string(text.data()) : std::string();
}

constexpr std::size_t kHash_bytes = 32;

// The parts of libsodium's "$argon2id$v=19$m=65536,t=2,p=1$SALT$HASH".
struct Argon2id {
  PasswordCost cost;
  std::array<unsigned char, crypto_pwhash_SALTBYTES> salt{};
  std::array<unsigned char, kHash_bytes> hash{};
};

template <std::size_t Size>
bool from_base64(std::string_view text, std::array<unsigned char, Size>& bytes) {
  std::size_t size_bytes = 0;
  return sodium_base642bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &size_bytes,
                           nullptr, sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
         size_bytes == Size;
}

std::optional<Argon2id> parse_argon2id(const std::string& text) {
  Argon2id parts;
  unsigned long long memory_kib = 0;
  unsigned long long passes = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "$argon2id$v=19$m=%llu,t=%llu,p=1$%n", &memory_kib, &passes, &end) != 2 ||
      end == 0) {
    return std::nullopt;
  }
  const std::string_view rest = std::string_view(text).substr(static_cast<std::size_t>(end));
  const std::size_t split = rest.find('$');
  if (split == std::string_view::npos || !from_base64(rest.substr(0, split), parts.salt) ||
      !from_base64(rest.substr(split + 1), parts.hash)) {
    return std::nullopt;
  }
  parts.cost = {.passes = passes, .memory_size_bytes = static_cast<std::size_t>(memory_kib) * 1024};
  return parts;
}

// Whether it is the password; nothing: there was no memory to find out. crypto_pwhash_str_verify gives one
// answer for both (and the same errno), so the hash is made again and compared here.
std::optional<bool> matches(const std::string& text, std::string_view password) {
  const auto parts = parse_argon2id(text);
  if (!parts) {
    return false;
  }
  std::array<unsigned char, kHash_bytes> made{};
  if (crypto_pwhash(made.data(), made.size(), password.data(), password.size(), parts->salt.data(),
                    parts->cost.passes, parts->cost.memory_size_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return std::nullopt;
  }
  return sodium_memcmp(made.data(), parts->hash.data(), made.size()) == 0;
}

base::Error no_memory() {
  return base::refused(base::Code::resource_exhausted, "OUT_OF_MEMORY",
                       "This node has no memory to work on a password; try again or try another node.");
}

base::Error stopped() {
  return base::refused(base::Code::unavailable, "SHUTTING_DOWN",
                       "This node is shutting down; try another one.");
}

}  // namespace

PasswordPool::PasswordPool(const PasswordCost& cost, std::size_t threads, std::size_t max_waiting)
    : cost_(cost), jobs_("passwords", max_waiting) {
  base::ensure(sodium_init() >= 0, "libsodium starts");
  std::array<char, 32> random{};
  randombytes_buf(random.data(), random.size());
  nobodys_hash_ = argon2id({random.data(), random.size()}, cost_);
  base::ensure(!nobodys_hash_.empty(), "one password fits into memory at start");
  for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i) {
    threads_.emplace_back([this] { run(); });
  }
}

PasswordPool::~PasswordPool() { stop(); }

void PasswordPool::stop() {
  stopping_ = true;
  jobs_.close();
  for (auto& thread : threads_) {
    if (thread.joinable()) {
      thread.join();
    }
  }
}

void PasswordPool::hash(std::string password, node::Deadline deadline, Hashed done) {
  submit(Job{{}, std::move(password), deadline, std::move(done), {}});
}

void PasswordPool::verify(std::string hash, std::string password, node::Deadline deadline, Verified done) {
  submit(Job{std::move(hash), std::move(password), deadline, {}, std::move(done)});
}

void PasswordPool::submit(Job job) {
  if (jobs_.try_push(std::move(job))) {
    return;
  }
  base::Error error = stopped();
  if (!stopping_) {
    error = base::refused(base::Code::resource_exhausted, "TOO_MANY_PASSWORDS",
                          "Too many passwords are waiting to be checked on this node; try again.");
    const auto wait_ms =
        last_job_ms_ * static_cast<std::int64_t>(jobs_.size()) / static_cast<std::int64_t>(threads_.size());
    error.retry_after_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(wait_ms / 2, 50, 10'000));
  }
  // NOLINTNEXTLINE(bugprone-use-after-move): a full queue leaves it untouched
  if (job.hashed) {
    job.hashed(std::unexpected(std::move(error)));
  } else {
    job.verified(std::unexpected(std::move(error)));
  }
}

void PasswordPool::run() {
  // One at a time: what a thread has taken is no longer in the queue's bound.
  for (auto jobs = jobs_.pop_some(1); !jobs.empty(); jobs = jobs_.pop_some(1)) {
    auto& job = jobs.front();
    work(job);
    sodium_memzero(job.password.data(), job.password.size());
  }
}

void PasswordPool::work(Job& job) {
  const auto begin = std::chrono::steady_clock::now();
  std::optional<base::Error> failed;
  if (stopping_) {
    failed = stopped();
  } else if (begin >= job.deadline) {
    failed = base::refused(base::Code::deadline_exceeded, "DEADLINE_EXCEEDED",
                           "The deadline came while the password waited to be checked.");
  }
  if (job.verified) {
    if (failed) {
      job.verified(std::unexpected(*std::move(failed)));
      return;
    }
    const std::string& hash = job.hash.empty() ? nobodys_hash_ : job.hash;
    const auto same = matches(hash, job.password);
    job.verified(same ? base::Result<bool>(*same && !job.hash.empty()) : std::unexpected(no_memory()));
  } else {
    std::string hash = failed ? std::string() : argon2id(job.password, cost_);
    if (!failed && hash.empty()) {
      failed = no_memory();
    }
    job.hashed(failed ? base::Result<std::string>(std::unexpected(*std::move(failed))) : std::move(hash));
  }
  const auto taken =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  last_job_ms_ = std::max<std::int64_t>(taken.count(), 1);
}

}  // namespace parley::service
