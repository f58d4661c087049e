// Whether what the program printed is JSON. Owned by: nobody. Any thread.
#pragma once

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "tests/parley/cli_runner.h"

namespace parley::testing {

// One object, on one line, and nothing around it.
[[nodiscard]] inline bool is_json_object(std::string_view text) {
  while (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  google::protobuf::Struct object;
  return text.starts_with('{') && text.ends_with('}') && !text.contains('\n') &&
         google::protobuf::util::JsonStringToMessage(std::string(text), &object).ok();
}

// One object a line; none at all is none of them.
[[nodiscard]] inline bool are_json_objects(std::string_view text) {
  const auto lines = lines_of(text);
  return !lines.empty() && std::ranges::all_of(lines, is_json_object);
}

}  // namespace parley::testing
