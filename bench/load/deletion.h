// What others' sends take while an account that received very many messages is deleted, which the nodes do in
// steps (rule 9). Owned by: main, its thread alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "load/senders.h"

namespace parley::bench {

struct DeletionFlags {
  std::vector<std::string> servers;
  std::size_t messages = 0;         // that the account receives first
  std::chrono::seconds stretch{0};  // measured before the deletion, and again after it began
};

// Prints the figures. False: something went wrong, and was said on stderr.
[[nodiscard]] bool print_deletion(const DeletionFlags& flags, Senders& senders);

}  // namespace parley::bench
