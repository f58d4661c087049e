#include "parley/profile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace parley::cli {
namespace {

std::unexpected<std::string> failed(const std::string& what, const std::filesystem::path& path) {
  return std::unexpected("cannot " + what + " " + path.string() + ": " + std::strerror(errno));
}

// Writes all of it, synced, in a new file that only its owner can read.
std::expected<void, std::string> write_new(const std::filesystem::path& path, std::string_view bytes) {
  const int file =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (file < 0) {
    return failed("write", path);
  }
  bool well = ::fchmod(file, S_IRUSR | S_IWUSR) == 0;
  while (well && !bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    well = written > 0;
    bytes.remove_prefix(well ? static_cast<std::size_t>(written) : 0);
  }
  well = well && ::fsync(file) == 0;
  const int error = errno;
  ::close(file);
  errno = error;
  return well ? std::expected<void, std::string>{} : failed("write", path);
}

}  // namespace

std::expected<std::filesystem::path, std::string> profile_folder() {
  if (const char* const config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && *config == '/') {
    return std::filesystem::path(config) / "parley";
  }
  if (const char* const home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return std::filesystem::path(home) / ".config" / "parley";
  }
  return std::unexpected("neither XDG_CONFIG_HOME nor HOME says where to keep the session");
}

bool is_profile_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= 32 && name.front() != '.' && std::ranges::all_of(name, allowed);
}

ProfileStore::ProfileStore(std::filesystem::path folder, const std::string& name)
    : folder_(std::move(folder)), file_(folder_ / (name + ".toml")) {}

std::expected<Profile, std::string> ProfileStore::load() const {
  std::error_code error;
  if (!std::filesystem::exists(file_, error)) {
    return Profile{};
  }
  try {
    const toml::table table = toml::parse_file(file_.string());
    Profile profile;
    profile.account = table["account"].value_or(std::string());
    profile.account_id = static_cast<std::uint64_t>(table["account_id"].value_or(std::int64_t{0}));
    profile.token = table["token"].value_or(std::string());
    if (const toml::array* const servers = table["servers"].as_array()) {
      for (const toml::node& server : *servers) {
        profile.servers.push_back(server.value_or(std::string()));
      }
    }
    return profile;
  } catch (const toml::parse_error& wrong) {
    return std::unexpected(file_.string() + ": line " + std::to_string(wrong.source().begin.line) + ": " +
                           std::string(wrong.description()));
  }
}

std::expected<void, std::string> ProfileStore::prepare() const {
  std::error_code error;
  std::filesystem::create_directories(folder_.parent_path(), error);
  if (::mkdir(folder_.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return failed("make", folder_);
  }
  if (::chmod(folder_.c_str(), S_IRWXU) != 0 || ::access(folder_.c_str(), W_OK | X_OK) != 0) {
    return failed("write in", folder_);
  }
  return {};
}

std::expected<void, std::string> ProfileStore::save(const Profile& profile) const {
  if (auto prepared = prepare(); !prepared) {
    return prepared;
  }
  toml::array servers;
  for (const std::string& server : profile.servers) {
    servers.push_back(server);
  }
  const toml::table table{{"servers", servers},
                          {"account", profile.account},
                          {"account_id", static_cast<std::int64_t>(profile.account_id)},
                          {"token", profile.token}};
  std::ostringstream text;
  text << "# Kept by parley. The token is as good as the password.\n" << table << '\n';
  const std::filesystem::path fresh = file_.string() + "." + std::to_string(::getpid());
  if (auto written = write_new(fresh, text.str()); !written) {
    return written;
  }
  if (::rename(fresh.c_str(), file_.c_str()) != 0) {
    auto why = failed("write", file_);
    ::unlink(fresh.c_str());
    return why;
  }
  return {};
}

}  // namespace parley::cli
