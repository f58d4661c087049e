#include "parleyd/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <sstream>

namespace parley::parleyd {
namespace {

enum class Kind : std::uint8_t { text, number, yes_or_no };

struct Key {
  std::string_view name;
  Kind kind;
};

constexpr Key kKeys[] = {
    {"advertise-client", Kind::text},
    {"advertise-http", Kind::text},
    {"advertise-peer", Kind::text},
    {"client", Kind::text},
    {"cluster", Kind::text},
    {"data", Kind::text},
    {"http", Kind::text},
    {"id", Kind::number},
    {"insecure", Kind::yes_or_no},
    {"peer", Kind::text},
};

// Levenshtein's distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, diagonal + 1});
    }
  }
  return row[b.size()];
}

std::string at(const std::string& path, const toml::source_region& where) {
  std::string text = path;
  if (where.begin.line != 0) {
    text += ", line " + std::to_string(where.begin.line);
  }
  return text + ": ";
}

std::unexpected<std::string> unknown_key(const std::string& place, std::string_view key) {
  if (key == "reset" || key == "config") {
    return std::unexpected(place + "\"" + std::string(key) + "\" stands on the command line only");
  }
  std::vector<std::string_view> names;
  for (const auto& known : kKeys) {
    names.push_back(known.name);
  }
  return std::unexpected(place + "there is no key \"" + std::string(key) + "\"; did you mean \"" +
                         std::string(nearest(key, names)) + "\"?");
}

// The flag that this line of the file stands for; empty: none (a "no").
std::expected<std::string, std::string> flag_of(const Key& key, const toml::node& value,
                                                const std::string& place) {
  const std::string name(key.name);
  if (key.kind == Kind::text && value.is_string()) {
    if (value.as_string()->get().empty()) {
      return std::unexpected(place + "\"" + name + "\" is empty");
    }
    return "--" + name + "=" + value.as_string()->get();
  }
  if (key.kind == Kind::number && value.is_integer()) {
    return "--" + name + "=" + std::to_string(value.as_integer()->get());
  }
  if (key.kind == Kind::yes_or_no && value.is_boolean()) {
    return value.as_boolean()->get() ? "--" + name : std::string();
  }
  const char* wanted = key.kind == Kind::text     ? "a text in quotes"
                       : key.kind == Kind::number ? "a number"
                                                  : "true or false";
  return std::unexpected(place + "\"" + name + "\" must be " + wanted);
}

}  // namespace

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& words) {
  return *std::ranges::min_element(words, {},
                                   [&](std::string_view candidate) { return distance(word, candidate); });
}

std::expected<std::vector<std::string>, std::string> read_config_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return std::unexpected(path + ": " + (error ? error.message() : "this is no file"));
  }
  toml::table table;
  try {
    table = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    return std::unexpected(at(path, error.source()) + std::string(error.description()));
  }
  std::vector<std::string> flags;
  for (const auto& [name, value] : table) {
    const std::string place = at(path, value.source());
    const auto* key = std::ranges::find(kKeys, name.str(), &Key::name);
    if (key == std::end(kKeys)) {
      return unknown_key(place, name.str());
    }
    auto flag = flag_of(*key, value, place);
    if (!flag) {
      return std::unexpected(std::move(flag).error());
    }
    if (!flag->empty()) {
      flags.push_back(*std::move(flag));
    }
  }
  return flags;
}

}  // namespace parley::parleyd
