// Passwords: asked for without echo, or read from standard input. Owned by: nobody. The main thread.
#pragma once

#include <string>

#include "base/error.h"

namespace parley::cli {

enum class PasswordFrom : bool { terminal, standard_input };

// `prompt` stands on the terminal. From stdin: the next line of it. The error says why there is none, or that
// it is none that anybody can have.
[[nodiscard]] base::Result<std::string> read_password(PasswordFrom from, const std::string& prompt);

// A password that is made up: on a terminal it is asked for twice.
[[nodiscard]] base::Result<std::string> read_new_password(PasswordFrom from, const std::string& prompt);

}  // namespace parley::cli
