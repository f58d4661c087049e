#include "parley/demo/data_folder.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "parley/demo/nodes.h"

namespace parley::demo {
namespace {

namespace fs = std::filesystem;

int held_nodes(const fs::path& folder) {
  int held = 0;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    held += entry->is_directory() && entry->path().filename().string().starts_with("node-") ? 1 : 0;
  }
  return held;
}

}  // namespace

std::expected<DataFolder, std::string> DataFolder::open(const fs::path& named) {
  std::error_code error;
  if (named.empty()) {
    std::string name = (fs::temp_directory_path(error) / "parley-demo-XXXXXX").string();
    if (error || ::mkdtemp(name.data()) == nullptr) {
      return std::unexpected(fmt::format("no temporary folder {}: {}", name, std::strerror(errno)));
    }
    return DataFolder(name, true);
  }
  fs::create_directories(named, error);
  const fs::path path = error ? named : fs::canonical(named, error);
  if (error) {
    return std::unexpected(fmt::format("no folder {}: {}", named.string(), error.message()));
  }
  if (const int held = held_nodes(path); held != 0 && held != kNodes) {
    return std::unexpected(fmt::format("{} holds {} nodes, and the demo has {}; take another --data",
                                       path.string(), held, kNodes));
  }
  return DataFolder(path, false);
}

DataFolder::~DataFolder() {
  if (is_temporary_) {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
}

}  // namespace parley::demo
