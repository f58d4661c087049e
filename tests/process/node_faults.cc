#include "tests/process/node_faults.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "base/ensure.h"

namespace parley::testing {

NodeFaults::NodeFaults() {
  std::filesystem::create_directory(folder_.path() / "unsynced");
  const int file = ::open((folder_.path() / "page").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  base::ensure(file >= 0 && ::ftruncate(file, sizeof(FaultPage)) == 0, "a file can be made");
  void* const memory = ::mmap(nullptr, sizeof(FaultPage), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  base::ensure(memory != MAP_FAILED, "a file can be mapped");
  page_ = static_cast<FaultPage*>(memory);
}

NodeFaults::~NodeFaults() { ::munmap(page_, sizeof(FaultPage)); }

std::vector<std::string> NodeFaults::wrapper() const {
  const auto library = program("tests/libparley_fault_preload.so");
  base::ensure(std::filesystem::exists(library), "the library of faults is built");
  return {"env", "LD_PRELOAD=" + library.string(),
          std::string(kFaultPageVariable) + "=" + (folder_.path() / "page").string(),
          std::string(kUnsyncedVariable) + "=" + (folder_.path() / "unsynced").string()};
}

int NodeFaults::lose_power(const std::filesystem::path& data_folder) {
  std::map<std::string, std::filesystem::path> files;  // by inode
  for (const auto& entry : std::filesystem::directory_iterator(data_folder / "log")) {
    struct stat status{};
    base::ensure(::stat(entry.path().c_str(), &status) == 0, "a file of the log is there");
    files[std::to_string(status.st_ino)] = entry.path();
  }
  int pages = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "unsynced")) {
    if (entry.path().extension() == ".unfinished") {
      continue;  // killed before that write
    }
    const std::string name = entry.path().stem().string();  // INODE-PAGE
    const auto dash = name.find('-');
    if (const auto file = files.find(name.substr(0, dash)); file != files.end()) {
      std::ifstream kept(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(kept), {}};
      std::fstream log(file->second, std::ios::in | std::ios::out | std::ios::binary);
      log.seekp(static_cast<std::streamoff>(std::stoull(name.substr(dash + 1)) * kFaultPageSize_bytes));
      log.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      ++pages;
    }
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() / "unsynced")) {
    std::filesystem::remove(entry.path());
  }
  return pages;
}

ClusterOptions with_faults(ClusterOptions options, std::vector<NodeFaults>& faults) {
  base::ensure(std::cmp_equal(faults.size(), options.nodes), "faults for each node");
  options.wrapper = [&faults](int node) { return faults[static_cast<std::size_t>(node - 1)].wrapper(); };
  return options;
}

}  // namespace parley::testing
