#include "service/password_pool.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <chrono>
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
    const bool same = crypto_pwhash_str_verify(hash.c_str(), job.password.data(), job.password.size()) == 0;
    job.verified(same && !job.hash.empty());
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
