// CliRunner: runs build/<preset>/parley as a person would, with a home of its own, and keeps what it printed.
// Owned by: a test.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace parley::testing {

// A new folder under /tmp; gone with the object.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// What stands on each line, the last one with or without its end.
[[nodiscard]] std::vector<std::string> lines_of(std::string_view text);

// build/<preset>/NAME of the tree that runs the tests.
[[nodiscard]] std::filesystem::path program(const std::string& name);

struct CliResult {
  int exit_code = -1;  // -1: it did not end by itself in time, or died of a signal
  int signal = 0;      // that it died of
  std::string out;
  std::string err;
};

class CliRunner {
 public:
  using OnErr = std::function<void(const std::string& err)>;

  explicit CliRunner(std::string servers);

  // Passwords and bodies go in by `input`. The program is killed after two minutes.
  [[nodiscard]] CliResult run(const std::vector<std::string>& arguments, const std::string& input = {}) const;
  // Ends as run() does after a signal, sent once `out` contains `until`.
  [[nodiscard]] CliResult run_until(const std::vector<std::string>& arguments, const std::string& until,
                                    int signal) const;
  // Ends as run() does after a signal, sent once `is_time` says so.
  [[nodiscard]] CliResult run_signalled(const std::vector<std::string>& arguments, int signal,
                                        const std::function<bool()>& is_time,
                                        const std::string& input = {}) const;
  // While it runs, `on_err` is told what stderr holds so far, whenever that has grown.
  [[nodiscard]] CliResult run_watched(const std::vector<std::string>& arguments, const std::string& input,
                                      const OnErr& on_err) const;

  [[nodiscard]] const std::filesystem::path& config_home() const { return home_.path(); }
  [[nodiscard]] const std::string& servers() const { return servers_; }
  // A command in front of the program's: another namespace, another clock.
  void set_wrapper(std::vector<std::string> wrapper) { wrapper_ = std::move(wrapper); }
  [[nodiscard]] const std::vector<std::string>& wrapper() const { return wrapper_; }
  void set_servers(std::string servers) { servers_ = std::move(servers); }

 private:
  std::string servers_;
  std::vector<std::string> wrapper_;
  TempFolder home_;
};

}  // namespace parley::testing
