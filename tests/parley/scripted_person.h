// ScriptedPerson: ann, who has a session at one scripted server and runs the program. Owned by: a test.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/client/scripted_server.h"
#include "tests/parley/cli_runner.h"

namespace parley::testing {

inline constexpr const char* kScriptedToken = "token-of-ann";

// `script`, where whoever knows the password logs in.
[[nodiscard]] inline Script with_log_in(Script script) {
  script.log_in = [](grpc::ServerContext&, const v1::LogInRequest& request, v1::LogInResponse& response) {
    if (request.password() != "correct horse") {
      return refused_status(grpc::StatusCode::UNAUTHENTICATED, "wrong name or password");
    }
    response.mutable_account()->set_name(request.name());
    response.mutable_account()->set_id(41);
    response.set_token(kScriptedToken);
    response.set_position(5);
    return grpc::Status::OK;
  };
  return script;
}

class ScriptedPerson {
 public:
  explicit ScriptedPerson(Script script)
      : server_(with_log_in(std::move(script))), cli_(to_string(server_.address())) {
    const auto result = cli_.run({"login", "ann", "--password-stdin"}, "correct horse\n");
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }
  [[nodiscard]] CliResult run(const std::vector<std::string>& arguments,
                              const std::string& input = {}) const {
    return cli_.run(arguments, input);
  }
  [[nodiscard]] CliRunner& cli() { return cli_; }
  [[nodiscard]] std::filesystem::path profile() const {
    return cli_.config_home() / "parley" / "default.toml";
  }

 private:
  ScriptedServer server_;
  CliRunner cli_;
};

}  // namespace parley::testing
