#include "gateway/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace parley::gateway {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto begin = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(begin);
  const auto end = text.find_last_not_of(" \t");
  return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

// Calls `visit` for each item of a list with commas, trimmed; stops when it says true.
template <class Visit>
bool any_item(std::string_view list, const Visit& visit) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (visit(trimmed(list.substr(0, comma)))) {
      return true;
    }
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// "gzip, br;q=0.5": whether `coding` is among them, and not with a weight of zero.
bool accepts(std::string_view accept_encoding, std::string_view coding) {
  return any_item(accept_encoding, [coding](std::string_view item) {
    const auto semicolon = std::min(item.find(';'), item.size());
    const auto weight = trimmed(item.substr(std::min(semicolon + 1, item.size())));
    const bool is_refused =
        weight.starts_with("q=0") && weight.find_first_not_of("0.", 2) == std::string_view::npos;
    return trimmed(item.substr(0, semicolon)) == coding && !is_refused;
  });
}

bool matches(std::string_view if_none_match, std::string_view etag) {
  return any_item(if_none_match, [etag](std::string_view item) {
    if (item.starts_with("W/")) {
      item.remove_prefix(2);
    }
    return item == "*" || item == etag;
  });
}

struct Form {
  std::string_view bytes;
  std::string_view coding;
};

Form form_of(const EmbeddedFile& file, std::string_view accept_encoding) {
  if (!file.brotli.empty() && accepts(accept_encoding, "br")) {
    return {file.brotli, "br"};
  }
  if (!file.gzip.empty() && accepts(accept_encoding, "gzip")) {
    return {file.gzip, "gzip"};
  }
  return {file.identity, {}};
}

}  // namespace

std::optional<Response> Page::get(const Request& request, const std::string& connect_sources) const {
  const auto file = std::ranges::find(
      files_, request.path == "/index.html" ? "/" : std::string_view(request.path), &EmbeddedFile::path);
  if (file == files_.end()) {
    return std::nullopt;
  }
  const Form form = form_of(*file, request.header("accept-encoding"));
  const std::string etag = fmt::format("\"{}{}{}\"", file->etag, form.coding.empty() ? "" : "-", form.coding);
  Response response;
  response.add("ETag", etag);
  response.add("Vary", "Accept-Encoding");
  // What has its content's hash in its name never changes; the rest is asked for again each time.
  response.add("Cache-Control",
               file->path.starts_with("/assets/") ? "public, max-age=31536000, immutable" : "no-cache");
  response.add(kContentSecurityPolicy,
               fmt::format("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                           "manifest-src 'self'; worker-src 'self'; connect-src {}; base-uri 'none'; "
                           "form-action 'none'; frame-ancestors 'none'",
                           connect_sources));
  if (matches(request.header("if-none-match"), etag)) {
    response.status = 304;
    return response;
  }
  response.add("Content-Type", std::string(file->content_type));
  if (!form.coding.empty()) {
    response.add("Content-Encoding", std::string(form.coding));
  }
  response.embedded_body = form.bytes;
  return response;
}

}  // namespace parley::gateway
