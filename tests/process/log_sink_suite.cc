// Nodes whose stderr nobody reads: one full pipe for all of them, as behind a terminal that is stopped or a
// collector that hangs. They do all they should, and end when they are told to.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/ensure.h"
#include "tests/process/cluster.h"
#include "tests/process/talk.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::IsEmpty;

// Open for both: it stays what it is, whoever else comes and goes.
class NamedPipe {
 public:
  NamedPipe() {
    base::ensure(::mkfifo(path().c_str(), 0600) == 0, "a named pipe can be made");
    file_ = ::open(path().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    base::ensure(file_ >= 0, "a named pipe can be opened");
  }
  ~NamedPipe() { ::close(file_); }
  NamedPipe(const NamedPipe&) = delete;
  NamedPipe& operator=(const NamedPipe&) = delete;

  [[nodiscard]] std::filesystem::path path() const { return folder_.path() / "stderr"; }

  void fill() const {
    const std::string page(4096, '.');
    for (const std::size_t size : {page.size(), std::size_t{1}}) {
      while (::write(file_, page.data(), size) > 0) {
      }
    }
  }
  [[nodiscard]] bool is_full() const { return ::write(file_, ".", 1) < 0; }

  // What can be read now.
  [[nodiscard]] std::string read() const {
    std::string text;
    std::array<char, 4096> part{};
    ssize_t size = 0;
    while ((size = ::read(file_, part.data(), part.size())) > 0) {
      text.append(part.data(), static_cast<std::size_t>(size));
    }
    return text;
  }

 private:
  const TempFolder folder_;
  int file_ = -1;
};

// Runs what follows with these redirections.
std::vector<std::string> redirected(const std::string& redirections) {
  return {"/bin/sh", "-c", "exec \"$@\" " + redirections, "sh"};
}

std::vector<std::string> stale_bodies(client::Client& client) {
  v1::ListMessagesRequest list;
  list.set_stale(true);
  const auto answer = client.list_messages(list);
  EXPECT_TRUE(answer.has_value()) << answer.error().message;
  std::vector<std::string> bodies;
  for (const v1::Message& message : answer.value_or(v1::ListMessagesResponse()).messages()) {
    bodies.push_back(message.body());
  }
  return bodies;
}

TEST(LogSinkSuite, OneFullPipeForAllNodesHoldsUpNothing) {
  const NamedPipe pipe;
  pipe.fill();
  Cluster cluster(
      {.nodes = 3, .wrapper = [&pipe](int) { return redirected(">'" + pipe.path().string() + "' 2>&1"); }});
  const int first_leader = cluster.wait_for_leader();
  const auto ann = cluster.client();
  ann->set_token(sign_up(*ann, "ann"));
  const std::uint64_t position = send_note(*ann, "ann", "before");
  ASSERT_NE(position, 0U);
  cluster.wait_until_applied(cluster.ids(), position);

  Talk talk(cluster, "bob", "carl");
  cluster.stop(first_leader, SIGTERM);  // within 30 s, with exit code 0
  const int leader = cluster.wait_for_leader();
  talk.wait_for_more(20);  // with a majority whose stderr is full
  talk.finish();
  EXPECT_THAT(talk.complaints(), IsEmpty());
  const auto follower = cluster.client({cluster.any_follower(leader)});
  follower->set_token(ann->token());
  EXPECT_EQ(stale_bodies(*follower), std::vector<std::string>{"before"});

  EXPECT_TRUE(pipe.is_full()) << "somebody read it, and this test tests nothing";
  cluster.stop_all(SIGTERM);
}

TEST(LogSinkSuite, WhatWaitedComesOutOnceSomebodyReads) {
  const NamedPipe pipe;
  pipe.fill();
  Cluster cluster(
      {.nodes = 1, .wrapper = [&pipe](int) { return redirected("2>'" + pipe.path().string() + "'"); }});
  cluster.wait_for_leader();
  std::string text;
  const auto comes = [&](const std::string& what) {
    return wait_until([&] {
      text += pipe.read();
      return text.contains(what);
    });
  };
  EXPECT_TRUE(comes("ready: node 1")) << text;
  EXPECT_TRUE(comes(" leads")) << text;
  cluster.stop_all(SIGTERM);
  EXPECT_TRUE(comes("stopped\n")) << text;
  EXPECT_FALSE(text.contains("lost: nobody took")) << text;
}

// What is logged would go to whatever got the number: a connection, or the log on the disk.
TEST(LogSinkSuite, AClosedStderrIsNoOtherFile) {
  const TempFolder folder;
  const std::filesystem::path pid_file = folder.path() / "pid";
  Cluster cluster({.nodes = 1, .wrapper = [&pid_file](int) {
                     return std::vector<std::string>{
                         "/bin/sh", "-c", "echo $$ >'" + pid_file.string() + "'; exec \"$@\" <&- >&- 2>&-",
                         "sh"};
                   }});
  cluster.wait_for_leader();
  const auto ann = cluster.client();
  ann->set_token(sign_up(*ann, "ann"));
  EXPECT_NE(send_note(*ann, "ann", "hello"), 0U);
  int pid = 0;
  std::ifstream(pid_file) >> pid;
  for (const int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    EXPECT_EQ(std::filesystem::read_symlink(fmt::format("/proc/{}/fd/{}", pid, file)), "/dev/null") << file;
  }
  cluster.stop_all(SIGTERM);
}

}  // namespace
}  // namespace parley::testing
