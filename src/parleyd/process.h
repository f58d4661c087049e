// What a server asks of its process: signals, limits. Owned by: nobody. Called by main before any other
// thread runs.
#pragma once

namespace parley::parleyd {

// Files are this user's alone; as many open files as the system lets us have; a broken pipe is an error of a
// write, not a signal; SIGTERM and SIGINT wait for wait_for_stop().
void prepare_process();

// Waits for SIGTERM or SIGINT, and says which. From then on a second one ends the process at once.
[[nodiscard]] int wait_for_stop();

}  // namespace parley::parleyd
