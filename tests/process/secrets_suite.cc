// No secret at rest: no password and no token, as text or as bytes, in any file under the data folders or in
// any log; and nothing there that other users can read.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "base/hex.h"
#include "tests/process/cluster.h"
#include "tests/process/person.h"

namespace parley::testing {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// base64url without padding.
std::string decoded(const std::string& text) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string bytes;
  unsigned bits = 0;
  unsigned value = 0;
  for (const char c : text) {
    const auto digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) {
      return {};
    }
    value = (value << 6U) | static_cast<unsigned>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<char>((value >> bits) & 0xffU));
    }
  }
  return bytes;
}

class SecretsSuite : public ::testing::Test {
 protected:
  // What is looked for, and what it is.
  void add_secret(const std::string& what, const std::string& secret) { secrets_[secret] = what; }
  void add_token(const std::string& what, const std::string& token) {
    add_secret(what, token);
    const std::string bytes = decoded(token);
    ASSERT_GE(bytes.size(), 32U);
    add_secret(what + ", as bytes", bytes.substr(0, 32));
    add_secret(what + ", in hexadecimal", base::to_hex(bytes.substr(0, 32)));
  }

  // Where `needle` is, among the files of all nodes.
  [[nodiscard]] std::vector<std::string> files_with(const std::string& needle) const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cluster_.folder())) {
      if (entry.is_regular_file() && read_file(entry.path()).contains(needle)) {
        found.push_back(entry.path().string());
      }
    }
    return found;
  }

  void expect_no_secret() const {
    for (const auto& [secret, what] : secrets_) {
      EXPECT_THAT(files_with(secret), ::testing::IsEmpty()) << what;
    }
    // The search finds what is there.
    EXPECT_THAT(files_with("a body that may be found"), ::testing::Not(::testing::IsEmpty()));
  }

  void expect_closed_to_others() const {
    for (const int node : cluster_.ids()) {
      std::vector<std::filesystem::path> paths = {cluster_.data_folder(node)};
      for (const auto& entry : std::filesystem::recursive_directory_iterator(cluster_.data_folder(node))) {
        paths.push_back(entry.path());
      }
      EXPECT_GT(paths.size(), 2U);
      for (const auto& path : paths) {
        struct stat status{};
        if (::lstat(path.c_str(), &status) != 0) {
          EXPECT_EQ(errno, ENOENT) << path;  // the node removed or renamed it since it was listed
          continue;
        }
        EXPECT_EQ(status.st_mode & 077U, 0U) << path << fmt::format(" has mode {:o}", status.st_mode & 0777U);
      }
    }
  }

  Cluster cluster_{3};

 private:
  std::map<std::string, std::string> secrets_;
};

TEST_F(SecretsSuite, NoPasswordAndNoTokenInAnyFileOrLog) {
  cluster_.wait_for_leader();
  const auto api = grpc_api(cluster_, {});
  const World world{.api = api.get()};
  Person ann(world, "ann");
  ann.set_password("first password of ann 8f3a");
  add_secret("the first password", ann.password());
  ASSERT_TRUE(ann.sign_up().has_value());
  add_token("the token of CreateAccount", ann.token());
  ASSERT_TRUE(ann.log_in().has_value());
  add_token("the token of LogIn", ann.token());

  Person stranger(world, "ann");
  stranger.set_password("mistyped password 51c0");
  add_secret("a wrong password", stranger.password());
  EXPECT_FALSE(stranger.log_in().has_value());

  add_secret("the new password", "second password of ann 77be");
  ASSERT_TRUE(ann.change_password("second password of ann 77be").has_value());
  ann.set_password("second password of ann 77be");
  ASSERT_TRUE(ann.send("ann", "a body that may be found").has_value());
  EXPECT_FALSE(ann.send("nobody", "refused").has_value());
  const auto there = cluster_.client();
  there->set_token("not-a-token-of-this-cluster-4242");
  add_secret("a malformed token", there->token());
  EXPECT_FALSE(there->list_messages({}).has_value());

  expect_no_secret();  // while they run
  expect_closed_to_others();
  cluster_.stop_all(SIGTERM);
  expect_no_secret();
  expect_closed_to_others();
}

TEST_F(SecretsSuite, NothingIsOpenToOthersWhateverTheUmask) {
  cluster_.wait_for_leader();
  cluster_.stop_all(SIGTERM);
  for (const int node : cluster_.ids()) {
    cluster_.wipe(node);
  }
  const mode_t before = ::umask(0);
  cluster_.start_all();
  cluster_.wait_for_new_cluster();
  expect_closed_to_others();
  ::umask(before);
}

}  // namespace
}  // namespace parley::testing
