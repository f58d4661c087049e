// The configuration file of parleyd.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "parleyd/config_file.h"
#include "parleyd/options.h"

namespace parley::parleyd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ConfigFile : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  std::string write(const std::string& text) const {
    std::ofstream(path_) << text;
    return path_;
  }
  std::string mistake(const std::string& text) const {
    const auto flags = read_config_file(write(text));
    EXPECT_FALSE(flags);
    return flags ? std::string() : flags.error();
  }

  const std::string path_ =
      std::filesystem::temp_directory_path() / ("parleyd-config-" + std::to_string(::getpid()) + ".toml");
};

TEST_F(ConfigFile, HoldsTheFlagsByTheirNames) {
  const auto path = write(R"(
id = 2
data = "/var/lib/parley"
client = "192.0.2.2:7700"
peer = "192.0.2.2:7701"
http = "192.0.2.2:8080"
cluster = "1=192.0.2.1:7701,2=192.0.2.2:7701,3=192.0.2.3:7701"
advertise-client = "198.51.100.2:7700"
insecure = true
)");
  const auto options = parse_options({"--config", path});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->id, base::NodeId(2));
  EXPECT_EQ(options->data_folder, "/var/lib/parley");
  EXPECT_EQ(options->client.host, "192.0.2.2");
  EXPECT_EQ(options->advertise_client.host, "198.51.100.2");
  EXPECT_EQ(options->cluster.size(), 3U);
  EXPECT_TRUE(options->insecure);
}

TEST_F(ConfigFile, TheCommandLineGoesBeforeIt) {
  const auto path = write("id = 2\ndata = \"/from/file\"\n");
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--config=" + path, "--id", "3"}, {"--id", "3", "--config", path}}) {
    const auto options = parse_options(arguments);
    ASSERT_TRUE(options) << options.error().text;
    EXPECT_EQ(options->id, base::NodeId(3));
    EXPECT_EQ(options->data_folder, "/from/file");
  }
}

TEST_F(ConfigFile, AnUnknownKeyIsRefusedWithTheNearestRightOne) {
  EXPECT_THAT(mistake("id = 1\ndta = \"x\"\n"),
              AllOf(HasSubstr("line 2"), HasSubstr("\"dta\""), HasSubstr("\"data\"")));
  EXPECT_THAT(mistake("clients = \"127.0.0.1:1\"\n"), HasSubstr("\"client\""));
  EXPECT_THAT(mistake("advertise_peer = \"127.0.0.1:1\"\n"), HasSubstr("\"advertise-peer\""));
  EXPECT_THAT(mistake("[table]\nid = 1\n"), HasSubstr("\"table\""));
}

TEST_F(ConfigFile, ValuesHaveTheirKinds) {
  EXPECT_THAT(mistake("id = \"one\"\n"), AllOf(HasSubstr("\"id\""), HasSubstr("a number")));
  EXPECT_THAT(mistake("data = 7\n"), AllOf(HasSubstr("\"data\""), HasSubstr("a text in quotes")));
  EXPECT_THAT(mistake("insecure = 1\n"), HasSubstr("true or false"));
  EXPECT_THAT(mistake("cluster = \"\"\n"), AllOf(HasSubstr("line 1"), HasSubstr("\"cluster\" is empty")));
}

TEST_F(ConfigFile, ResetStandsOnTheCommandLineOnly) {
  EXPECT_THAT(mistake("reset = true\n"), HasSubstr("command line"));
}

TEST_F(ConfigFile, WhatIsNoTomlIsNamedWithItsLine) {
  EXPECT_THAT(mistake("id = 1\ndata = unquoted\n"), AllOf(HasSubstr(path_), HasSubstr("line 2")));
  EXPECT_FALSE(read_config_file("/does/not/exist.toml"));
  for (const char* no_file : {"/tmp", "/dev/zero", ""}) {
    EXPECT_FALSE(read_config_file(no_file)) << no_file;
  }
}

}  // namespace
}  // namespace parley::parleyd
