// Page: the web page's files over HTTP: the smallest form that the client takes, cached by what is in them.
// Private to gateway. Owned by: the router. Its thread alone.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "gateway/embedded_page.h"
#include "gateway/http.h"

namespace parley::gateway {

class Page {
 public:
  explicit Page(std::span<const EmbeddedFile> files) : files_(files) {}

  // To GET and HEAD. `connect_sources`: whom the page may call. Nothing: there is no such file.
  [[nodiscard]] std::optional<Response> get(const Request& request, const std::string& connect_sources) const;

 private:
  const std::span<const EmbeddedFile> files_;
};

}  // namespace parley::gateway
