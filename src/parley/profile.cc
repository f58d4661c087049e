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

// False: errno says why.
bool write_from_begin(int file, std::string_view bytes) {
  for (off_t at = 0; !bytes.empty();) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), at);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    at += written;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string text_of(const Profile& profile) {
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
  return text.str();
}

bool is_list_of_texts(const toml::node& node) {
  const toml::array* const list = node.as_array();
  return list != nullptr && std::ranges::all_of(*list, [](const toml::node& it) { return it.is_string(); });
}

// What is there and is not of its kind, with its line. Empty: nothing.
std::string trouble_in(const toml::table& table) {
  const auto wrong = [&table](const char* name, bool (*is_well)(const toml::node&), const char* kind) {
    const toml::node* const node = table.get(name);
    return node == nullptr || is_well(*node)
               ? std::string()
               : "line " + std::to_string(node->source().begin.line) + ": " + name + " is no " + kind;
  };
  const auto is_text = [](const toml::node& node) { return node.is_string(); };
  const auto is_number = [](const toml::node& node) { return node.is_integer(); };
  for (const std::string& trouble :
       {wrong("servers", is_list_of_texts, "list of texts"), wrong("account", is_text, "text"),
        wrong("account_id", is_number, "whole number"), wrong("token", is_text, "text")}) {
    if (!trouble.empty()) {
      return trouble;
    }
  }
  return {};
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
  const auto status = std::filesystem::status(file_, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return Profile{};
  }
  if (error) {
    return std::unexpected(file_.string() + ": " + error.message());
  }
  if (!std::filesystem::is_regular_file(status)) {
    return std::unexpected(file_.string() + (std::filesystem::is_directory(status)
                                                 ? ": is a folder, and no file"
                                                 : ": is no regular file"));
  }
  try {
    const toml::table table = toml::parse_file(file_.string());
    if (const std::string trouble = trouble_in(table); !trouble.empty()) {
      return std::unexpected(file_.string() + ": " + trouble);
    }
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

std::expected<ProfileRoom, std::string> ProfileStore::make_room(const Profile& largest) const {
  if (auto prepared = prepare(); !prepared) {
    return std::unexpected(std::move(prepared).error());
  }
  const std::filesystem::path fresh = file_.string() + "." + std::to_string(::getpid());
  const int file =
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  if (file < 0) {
    return failed("write", file_);
  }
  ProfileRoom room(file_, fresh, file);
  const std::string filling(text_of(largest).size(), '\n');
  // Synced, since some file systems look for the room only then.
  if (::fchmod(file, S_IRUSR | S_IWUSR) != 0 || !write_from_begin(file, filling) || ::fsync(file) != 0) {
    return failed("write", file_);
  }
  return room;
}

ProfileRoom::ProfileRoom(ProfileRoom&& other) noexcept
    : place_(std::move(other.place_)),
      fresh_(std::move(other.fresh_)),
      file_(std::exchange(other.file_, -1)) {}

ProfileRoom::~ProfileRoom() {
  if (file_ >= 0) {
    ::close(file_);
    if (!is_kept_) {
      ::unlink(fresh_.c_str());
    }
  }
}

std::expected<void, std::string> ProfileRoom::keep(const Profile& profile) {
  const std::string text = text_of(profile);
  if (!write_from_begin(file_, text) || ::ftruncate(file_, static_cast<off_t>(text.size())) != 0 ||
      ::fsync(file_) != 0 || ::rename(fresh_.c_str(), place_.c_str()) != 0) {
    return failed("write", place_);
  }
  is_kept_ = true;
  return {};
}

}  // namespace parley::cli
