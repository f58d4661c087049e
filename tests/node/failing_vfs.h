// FailingVfs: SQLite's default VFS with a switch: from then on nothing more can be written (SQLITE_FULL), as
// on a full disk. Owned by: one test; registered with SQLite as long as it lives. Any thread.
#pragma once

#include <memory>
#include <string>

namespace parley::node::testing {

class FailingVfs {
 public:
  explicit FailingVfs(std::string name);
  ~FailingVfs();
  FailingVfs(const FailingVfs&) = delete;
  FailingVfs& operator=(const FailingVfs&) = delete;

  [[nodiscard]] const std::string& name() const;
  void set_full(bool full);

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace parley::node::testing
