// Seeds that once found something, run for ever.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "sim/soak.h"

namespace parley::sim {
namespace {

TEST(KeptSeeds, stay_found) {
  const char* const source = std::getenv("PARLEY_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  std::ifstream file(std::string(source) + "/tests/sim/seeds.txt");
  ASSERT_TRUE(file);
  int seeds = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) {
      continue;
    }
    std::istringstream words(line);
    SoakOptions options;
    ASSERT_TRUE(words >> options.run.voters >> options.first_seed) << line;
    options.last_seed = options.first_seed;
    const SoakResult result = soak(options);
    EXPECT_FALSE(result.failure) << line << "\n"
                                 << result.failure->check << ": " << result.failure->what
                                 << "\nreplay: " << replay_command(options.run, options.first_seed);
    ++seeds;
  }
  EXPECT_GT(seeds, 0);
}

}  // namespace
}  // namespace parley::sim
