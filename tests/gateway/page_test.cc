// The page from inside the program: its forms, what browsers may keep, its policy.
#include "gateway/page.h"

#include "tests/gateway/gateway_fixture.h"

namespace parley::test {
namespace {

using gateway::EmbeddedFile;
using ::testing::HasSubstr;
using ::testing::Not;

class PageFiles : public ::testing::Test {
 protected:
  static constexpr std::array<EmbeddedFile, 3> kFiles = {{
      {"/", "text/html; charset=utf-8", "aa", "<html>", "B", "G"},
      {"/assets/page-1x2y.js", "text/javascript; charset=utf-8", "bb", "code", "B2", {}},
      {"/icon.png", "image/png", "cc", "png", {}, {}},
  }};

  static std::optional<gateway::Response> get(const std::string& path, const std::string& accepted = {},
                                              const std::string& known = {}) {
    gateway::Request request;
    request.verb = gateway::Verb::get;
    request.path = path;
    request.headers = {{"accept-encoding", accepted}, {"if-none-match", known}};
    return gateway::Page(kFiles).get(request, "'self' http://127.0.0.1:8081");
  }
  static std::string header(const gateway::Response& response, std::string_view name) {
    const auto found =
        std::ranges::find(response.headers, name, &std::pair<std::string_view, std::string>::first);
    return found == response.headers.end() ? std::string() : found->second;
  }
};

TEST_F(PageFiles, TheSmallestFormThatIsTaken) {
  struct Row {
    const char* accepted;
    const char* coding;
    const char* bytes;
  };
  for (const Row& row : std::initializer_list<Row>{{"gzip, deflate, br, zstd", "br", "B"},
                                                   {"gzip, deflate", "gzip", "G"},
                                                   {"br;q=0, gzip;q=0.5", "gzip", "G"},
                                                   {"br;q=0.000,gzip;q=0", "", "<html>"},
                                                   {"", "", "<html>"},
                                                   {"brr, xgzip", "", "<html>"},
                                                   {" br ;q=0.1", "br", "B"}}) {
    const auto response = get("/", row.accepted);
    ASSERT_TRUE(response);
    EXPECT_EQ(header(*response, "Content-Encoding"), row.coding) << row.accepted;
    EXPECT_EQ(response->bytes(), row.bytes) << row.accepted;
    EXPECT_EQ(header(*response, "Vary"), "Accept-Encoding");
    EXPECT_EQ(header(*response, "Content-Type"), "text/html; charset=utf-8");
  }
}

TEST_F(PageFiles, WhatHasAHashInItsNameIsKeptForEver) {
  EXPECT_THAT(header(*get("/assets/page-1x2y.js"), "Cache-Control"), HasSubstr("immutable"));
  EXPECT_EQ(header(*get("/"), "Cache-Control"), "no-cache");
  EXPECT_EQ(header(*get("/icon.png"), "Cache-Control"), "no-cache");
}

TEST_F(PageFiles, WhatIsKnownIsNotSentAgain) {
  const std::string etag = header(*get("/", "br"), "ETag");
  EXPECT_EQ(etag, "\"aa-br\"");
  for (const std::string& known : {etag, "W/" + etag, "\"zz\", " + etag, std::string("*")}) {
    const auto response = get("/", "br", known);
    EXPECT_EQ(response->status, 304U) << known;
    EXPECT_TRUE(response->bytes().empty());
    EXPECT_EQ(header(*response, "ETag"), etag);
  }
  EXPECT_EQ(get("/", "gzip", etag)->status, 200U) << "another form";
  EXPECT_EQ(get("/", "br", "\"aa\"")->status, 200U);
}

TEST_F(PageFiles, ThePolicyAllowsOwnFilesAndTheNodes) {
  const std::string policy = header(*get("/"), "Content-Security-Policy");
  for (const char* part :
       {"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'",
        "frame-ancestors 'none'", "form-action 'none'", "connect-src 'self' http://127.0.0.1:8081;"}) {
    EXPECT_THAT(policy, HasSubstr(part));
  }
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
}

TEST_F(PageFiles, OtherPathsAreNothing) {
  EXPECT_TRUE(get("/index.html"));
  for (const char* path : {"", "/x", "/assets/", "/assets/../", "//", "/ASSETS/page-1x2y.js", "*"}) {
    EXPECT_FALSE(get(path)) << path;
  }
}

using PageOfThisProgram = GatewayFixture;

TEST_F(PageOfThisProgram, IsServed) {
  const auto page = ask("GET", "/");
  ASSERT_EQ(page.status, 200);
  EXPECT_THAT(page.body, HasSubstr("<div id=\"app\""));
  const std::string mark = "src=\"";
  const auto begin = page.body.find(mark);
  ASSERT_NE(begin, std::string::npos);
  const auto end = page.body.find('"', begin + mark.size());
  const std::string script = page.body.substr(begin + mark.size(), end - begin - mark.size());
  const auto plain = ask("GET", script);
  const auto packed = ask("GET", script, {{"Accept-Encoding", "gzip, br"}});
  EXPECT_EQ(plain.status, 200) << script;
  EXPECT_THAT(plain.header("content-type"), HasSubstr("javascript"));
  EXPECT_EQ(packed.header("content-encoding"), "br");
  EXPECT_LT(packed.body.size(), plain.body.size());
  EXPECT_THAT(packed.header("cache-control"), HasSubstr("immutable"));
  EXPECT_EQ(ask("GET", "/sw.js").header("cache-control"), "no-cache");
  EXPECT_EQ(ask("POST", "/").status, 405);
  const auto head = ask("HEAD", "/");
  EXPECT_EQ(head.header("content-length"), std::to_string(page.body.size()));
  EXPECT_THAT(head.header("content-security-policy"),
              HasSubstr("connect-src 'self' http://localhost:" + std::to_string(port())));
}

}  // namespace
}  // namespace parley::test
