// A profile that cannot be written: found out before a node is asked, and if not, never told as if nothing
// had happened. And one that cannot be read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/client/scripted_server.h"
#include "tests/parley/cli_runner.h"
#include "tests/parley/json.h"
#include "tests/parley/scripted_person.h"
#include "tests/support/wait_until.h"

namespace parley::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kPasswordLine = "correct horse\n";

// Ann, with a session, at a server that does whatever it is asked.
class AnnsProfile {
 public:
  AnnsProfile() : server_(script()), cli_(to_string(server_.address())) {
    const auto result = cli_.run({"login", "ann", "--password-stdin"}, kPasswordLine);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    writes_ = 0;
  }
  [[nodiscard]] CliRunner& cli() { return cli_; }
  [[nodiscard]] std::filesystem::path file() const { return folder() / "default.toml"; }
  [[nodiscard]] std::string text() const {
    std::ifstream in(file());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  [[nodiscard]] int writes() const { return writes_; }
  // The next write finds a folder in the profile's place when it is done.
  void spoil_at_write() { spoils_ = true; }
  // It is kept without an answer until whoever sent it gives up.
  void be_silent() { is_silent_ = true; }

 private:
  [[nodiscard]] std::filesystem::path folder() const { return cli_.config_home() / "parley"; }

  grpc::Status write(grpc::ServerContext& context) {
    ++writes_;
    if (is_silent_) {
      EXPECT_TRUE(wait_until([&] { return context.IsCancelled(); })) << "it was not given up";
      return grpc::Status::CANCELLED;
    }
    if (spoils_) {
      std::filesystem::remove_all(file());
      std::filesystem::create_directories(file());
    }
    return grpc::Status::OK;
  }
  template <class Request, class Response>
  Handler<Request, Response> done() {
    return [this](grpc::ServerContext& context, const Request& request, Response& response) {
      if constexpr (requires { response.set_token(kScriptedToken); }) {
        response.mutable_account()->set_name(request.name());
        response.mutable_account()->set_id(41);
        response.set_token(kScriptedToken);
      }
      return write(context);
    };
  }
  Script script() {
    Script script;
    script.create_account = done<v1::CreateAccountRequest, v1::CreateAccountResponse>();
    script.log_in = done<v1::LogInRequest, v1::LogInResponse>();
    script.log_out = done<v1::LogOutRequest, v1::LogOutResponse>();
    script.delete_account = done<v1::DeleteAccountRequest, v1::DeleteAccountResponse>();
    return script;
  }

  std::atomic<int> writes_ = 0;
  std::atomic<bool> spoils_ = false;
  std::atomic<bool> is_silent_ = false;
  ScriptedServer server_;
  CliRunner cli_;
};

struct ProfileChange {
  std::vector<std::string> arguments;
  std::string input;
  std::string said;        // on stdout, once it is done
  int exit_code_not_kept;  // where it is done, and the profile cannot be written
};

std::vector<ProfileChange> all_profile_changes() {
  return {{{"register", "bob", "--password-stdin"}, kPasswordLine, "registered bob", 2},
          {{"login", "bob", "--password-stdin"}, kPasswordLine, "logged in as bob", 2},
          {{"logout"}, "", "logged out", 0},
          {{"delete-account", "--password-stdin"}, kPasswordLine, "account deleted", 0}};
}

// No file may have a single byte, as on a disk without a free block.
std::vector<std::string> full_disk() {
  return {"/bin/sh", "-c", R"(ulimit -f 0; trap '' XFSZ; exec "$@")", "sh"};
}

TEST(CliProfile, AFullDiskIsFoundOutBeforeANodeIsAsked) {
  for (const ProfileChange& change : all_profile_changes()) {
    SCOPED_TRACE(change.arguments.front());
    AnnsProfile ann;
    const std::string before = ann.text();
    EXPECT_THAT(before, HasSubstr(kScriptedToken));
    ann.cli().set_wrapper(full_disk());
    const auto result = ann.cli().run(change.arguments, change.input);
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, AllOf(HasSubstr("parley: cannot write " + ann.file().string() + ": "),
                                  Not(HasSubstr("it is done"))));
    auto in_json = change.arguments;
    in_json.emplace_back("--json");
    EXPECT_THAT(ann.cli().run(in_json, change.input).err,
                AllOf(HasSubstr(R"("reason":"PROFILE")"), HasSubstr("OUTCOME_REFUSED")));
    EXPECT_EQ(ann.writes(), 0);
    EXPECT_THAT(ann.files(), ElementsAre("default.toml"));
    EXPECT_EQ(ann.text(), before);
    ann.cli().set_wrapper({});
    EXPECT_EQ(ann.cli().run(change.arguments, change.input).exit_code, 0) << "now there is room";
    EXPECT_THAT(ann.files(), ElementsAre("default.toml"));
  }
}

TEST(CliProfile, AWriteThatIsDoneIsToldAsDoneAlsoWhereTheProfileCannotBeWritten) {
  for (const ProfileChange& change : all_profile_changes()) {
    SCOPED_TRACE(change.arguments.front());
    AnnsProfile ann;
    ann.spoil_at_write();
    const auto result = ann.cli().run(change.arguments, change.input);
    EXPECT_EQ(result.exit_code, change.exit_code_not_kept) << result.err;
    EXPECT_THAT(result.out, HasSubstr(change.said));
    EXPECT_THAT(result.err, AllOf(HasSubstr("parley: it is done, but the session "),
                                  HasSubstr("cannot write " + ann.file().string() + ": ")));
    EXPECT_EQ(ann.writes(), 1);
    EXPECT_THAT(ann.files(), ElementsAre("default.toml"));
  }
}

TEST(CliProfile, InJsonTooItIsDoneAndNothingSaysRefused) {
  for (const ProfileChange& change : all_profile_changes()) {
    SCOPED_TRACE(change.arguments.front());
    AnnsProfile ann;
    ann.spoil_at_write();
    auto in_json = change.arguments;
    in_json.emplace_back("--json");
    const auto result = ann.cli().run(in_json, change.input);
    EXPECT_EQ(result.exit_code, change.exit_code_not_kept) << result.err;
    EXPECT_TRUE(is_json_object(result.out)) << result.out;
    EXPECT_TRUE(is_json_object(result.err)) << result.err;
    EXPECT_THAT(result.err,
                AllOf(HasSubstr(R"("message":"it is done, but the session )"),
                      HasSubstr(R"("details":[{"reason":"PROFILE"}])"), Not(HasSubstr("OUTCOME"))));
  }
}

TEST(CliProfile, AnInterruptionLeavesNothingBehind) {
  for (const ProfileChange& change : all_profile_changes()) {
    SCOPED_TRACE(change.arguments.front());
    AnnsProfile ann;
    const std::string before = ann.text();
    ann.be_silent();
    auto patient = change.arguments;
    patient.insert(patient.end(), {"--timeout", "100"});
    std::vector<std::string> files;
    const auto result = ann.cli().run_signalled(
        patient, SIGTERM,
        [&] {
          if (ann.writes() == 0) {
            return false;
          }
          files = ann.files();
          return true;
        },
        change.input);
    EXPECT_EQ(result.exit_code, 4) << result.err;
    EXPECT_EQ(files.size(), 2U) << "the room was taken before";
    EXPECT_THAT(ann.files(), ElementsAre("default.toml"));
    EXPECT_EQ(ann.text(), before);
  }
}

TEST(CliProfile, AFolderThatCannotBeMadeIsAProfileThatCannotBeWritten) {
  AnnsProfile ann;
  ann.cli().set_wrapper({"/usr/bin/env", "XDG_CONFIG_HOME=/proc"});
  for (const char* const command : {"register", "login"}) {
    SCOPED_TRACE(command);
    const auto result = ann.cli().run({command, "bob", "--password-stdin", "--json"}, kPasswordLine);
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, AllOf(HasSubstr(R"("reason":"PROFILE")"), HasSubstr("/proc/parley")));
  }
  EXPECT_EQ(ann.writes(), 0);
}

TEST(CliProfile, WhatIsNoProfileIsNotToldAsNobodyLoggedIn) {
  AnnsProfile ann;
  std::ofstream(ann.file()) << "account = 'ann'\ntoken = 5\n";
  const auto number = ann.cli().run({"inbox"});
  EXPECT_EQ(number.exit_code, 1) << number.err;
  EXPECT_EQ(number.err, "parley: " + ann.file().string() + ": line 2: token is no text\n");
  std::filesystem::remove(ann.file());
  std::filesystem::create_directories(ann.file());
  const auto folder = ann.cli().run({"inbox", "--json"});
  EXPECT_EQ(folder.exit_code, 1) << folder.err;
  EXPECT_THAT(folder.err, AllOf(HasSubstr(R"("reason":"PROFILE")"), HasSubstr("default.toml: is a folder")));
}

}  // namespace
}  // namespace parley::testing
