// Names a thread, as debuggers and `top -H` show it.
// Owned by: nobody. The thread itself calls it.
#pragma once

#include <pthread.h>

namespace parley::node {

// At most 15 characters.
inline void name_this_thread(const char* name) { pthread_setname_np(pthread_self(), name); }

}  // namespace parley::node
