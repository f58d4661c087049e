// SmallDisk: a file system of a few MiB for a node's state, with another for its log in it, so that the one
// runs full and the other does not. Needs root: without it the test fails. Owned by: a test; outlives the
// node.
#pragma once

#include <filesystem>

namespace parley::testing {

class SmallDisk {
 public:
  // Mounted at `data_folder` and at the folder of the log in it; both are made.
  explicit SmallDisk(std::filesystem::path data_folder);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  // Takes all the room beside the state, and what becomes free later is not much.
  void fill();
  void make_room();

 private:
  const std::filesystem::path data_folder_;
};

}  // namespace parley::testing
