// The cases of the chat: written once, as steps, so that a suite can run them one by one, or all in lock-step
// with a restart of every node between any two steps. Owned by: a suite. One thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/process/person.h"

namespace parley::testing {

struct Step {
  std::string name;
  std::function<void()> run;  // asserts by GoogleTest
};

struct Case {
  std::string name;
  std::vector<Step> steps;
};

// `prefix` makes the names of accounts unique in a cluster: at most 8 characters.
[[nodiscard]] std::vector<Case> account_cases(const World& world, const std::string& prefix);
[[nodiscard]] std::vector<Case> message_cases(const World& world, const std::string& prefix);
// Both.
[[nodiscard]] std::vector<Case> all_cases(const World& world, const std::string& prefix);

}  // namespace parley::testing
