// `parley open`: which page it chooses, without a login too, and what it opens.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "base/address.h"
#include "tests/client/scripted_server.h"
#include "tests/parley/cli_runner.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kReady = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{\"ready\":true,\"reasons\":[]}";
constexpr const char* kAlive =
    "HTTP/1.1 503 Service Unavailable\r\n\r\n{\"ready\":false,\"reasons\":[\"no leader\"]}";
constexpr const char* kStranger = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

// Says one thing to whoever connects.
class Page {
 public:
  explicit Page(std::string answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, generic, size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    ::getsockname(listener_, generic, &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  ~Page() {
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
  }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;
  [[nodiscard]] std::string address() const { return fmt::format("127.0.0.1:{}", port_); }
  [[nodiscard]] std::string url() const { return fmt::format("http://{}/", address()); }

 private:
  void run(const std::stop_token& stop) const {
    while (!stop.stop_requested()) {
      pollfd file{.fd = listener_, .events = POLLIN, .revents = 0};
      if (::poll(&file, 1, 20) != 1) {
        continue;
      }
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      std::array<char, 1000> buffer{};
      ::recv(client, buffer.data(), buffer.size(), 0);
      ::send(client, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      ::close(client);
    }
  }
  std::string answer_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

class Open : public ::testing::Test {
 protected:
  // With an xdg-open that only notes what it was asked for.
  void put_browser_on_the_path(const std::string& display) {
    std::ofstream(folder_.path() / "xdg-open")
        << "#!/bin/sh\necho \"$1\" > " << opened_file().string() << "\n";
    std::filesystem::permissions(folder_.path() / "xdg-open", std::filesystem::perms::owner_all);
    cli_.set_wrapper({"env", "-u", "WAYLAND_DISPLAY", "DISPLAY=" + display,
                      fmt::format("PATH={}:/usr/bin:/bin", folder_.path().string())});
  }
  [[nodiscard]] std::filesystem::path opened_file() const { return folder_.path() / "opened"; }
  [[nodiscard]] std::string opened() const {
    std::ifstream file(opened_file());
    std::string line;
    std::getline(file, line);
    return line;
  }
  TempFolder folder_;
  CliRunner cli_{"127.0.0.1:1"};
};

TEST_F(Open, WhoIsReadyGoesBeforeWhoIsOnlyAliveAndStrangersArePassedOver) {
  const Page stranger(kStranger);
  const Page alive(kAlive);
  const Page ready(kReady);
  const std::string dead = "127.0.0.1:1";
  auto result =
      cli_.run({"open", "--print", "--http",
                fmt::format("{},{},{},{}", dead, stranger.address(), alive.address(), ready.address())});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, ready.url() + "\n");
  result = cli_.run({"open", "--print", "--http", fmt::format("{},{}", stranger.address(), alive.address())});
  EXPECT_EQ(result.out, alive.url() + "\n") << "its page tells that there is no majority";
  result = cli_.run({"open", "--print", "--http", fmt::format("{},{}", dead, stranger.address())});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, AllOf(HasSubstr("no node serves its page at " + dead), HasSubstr("--http")));
}

TEST_F(Open, WithASessionTheClusterSaysWhereThePagesAre) {
  const Page ready(kReady);
  Script script;
  script.log_in = [](grpc::ServerContext&, const v1::LogInRequest&, v1::LogInResponse& response) {
    response.mutable_account()->set_name("ann");
    response.set_token("t");
    return grpc::Status::OK;
  };
  script.get_status = [&ready](grpc::ServerContext&, const v1::GetStatusRequest&,
                               v1::GetStatusResponse& response) {
    response.set_node_id(2);
    for (const std::uint32_t id : {1U, 2U}) {
      v1::Node& node = *response.add_nodes();
      node.set_id(id);
      node.set_http_addr(id == 1 ? ready.address() : "127.0.0.1:1");
    }
    return grpc::Status::OK;
  };
  const ScriptedServer server(script);
  cli_.set_servers(to_string(server.address()));
  ASSERT_EQ(cli_.run({"login", "ann", "--password-stdin"}, "password\n").exit_code, 0);
  const auto result = cli_.run({"--json", "open", "--print"});
  EXPECT_EQ(result.out, fmt::format("{{\"url\":\"{}\"}}\n", ready.url())) << result.err;
}

TEST_F(Open, ABrowserIsOpenedWhereThereIsADisplay) {
  const Page ready(kReady);
  put_browser_on_the_path(":7");
  EXPECT_EQ(cli_.run({"open", "--print", "--http", ready.address()}).exit_code, 0);
  EXPECT_EQ(opened(), "") << "--print only prints";
  const auto result = cli_.run({"open", "--http", ready.address()});
  EXPECT_EQ(result.out, ready.url() + "\n");
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(wait_until([&] { return opened() == ready.url(); })) << opened();
}

TEST_F(Open, WithoutADisplayItSaysSo) {
  const Page ready(kReady);
  put_browser_on_the_path("");
  const auto result = cli_.run({"open", "--http", ready.address()});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, ready.url() + "\n");
  EXPECT_THAT(result.err, HasSubstr("no display"));
  EXPECT_EQ(opened(), "");
}

}  // namespace
}  // namespace parley::testing
