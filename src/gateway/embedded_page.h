// The page's files, as they lie in the program. Private to gateway. Owned by: nobody, constants. Any thread.
#pragma once

#include <span>
#include <string_view>

namespace parley::gateway {

struct EmbeddedFile {
  std::string_view path;  // "/", "/sw.js", "/assets/page-HASH.js"
  std::string_view content_type;
  std::string_view etag;  // of the content, without quotes
  std::string_view identity;
  std::string_view brotli;  // empty: it is not smaller
  std::string_view gzip;
};

// Made by the build from the folder that Vite wrote.
[[nodiscard]] std::span<const EmbeddedFile> embedded_page();

}  // namespace parley::gateway
