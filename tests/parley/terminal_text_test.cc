#include "parley/terminal_text.h"

#include <gtest/gtest.h>

namespace parley::cli {
namespace {

TEST(TerminalText, WhatATerminalObeysIsShown) {
  EXPECT_EQ(terminal_line("\x1b[31mred\x1b[0m"), "\\x1b[31mred\\x1b[0m");
  EXPECT_EQ(terminal_line("a\nb\rc\td\x7f"), "a\\nb\\rc\\td\\x7f");
  EXPECT_EQ(terminal_line("\xc2\x9b"
                          "31m"),
            "\\x9b31m")
      << "the C1 form of ESC [";
  EXPECT_EQ(terminal_line("a\xe2\x80\xae"
                          "b"),
            "a\\u{202e}b");
  EXPECT_EQ(terminal_line("\xe2\x81\xa6"), "\\u{2066}");
  EXPECT_EQ(terminal_line("\xf3\xa0\x80\x81"), "\\u{e0001}");
  EXPECT_EQ(terminal_line(std::string_view("\0", 1)), "\\x00");
}

TEST(TerminalText, PeoplesTextStaysAsItIs) {
  const std::string text = "Grüße, 世界, \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80, שלום \\ \"";
  EXPECT_EQ(terminal_line(text), text);
}

TEST(TerminalText, BytesThatAreNoUtf8AreShown) {
  EXPECT_EQ(terminal_line("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(terminal_line("\xc0\x9b"), "\\xc0\\x9b") << "overlong";
  EXPECT_EQ(terminal_line("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "surrogate";
}

TEST(TerminalText, NoLineOfATextPassesForOneOfOurs) {
  EXPECT_EQ(terminal_block("a\n[12] 2026-01-01 bob: b", "  "), "a\n  [12] 2026-01-01 bob: b");
}

TEST(TerminalText, BlankIsWhiteSpaceAlone) {
  for (const char* const blank : {"", " ", " \t \v", "\u00a0", "\u3000 \u2003"}) {
    EXPECT_TRUE(is_blank(blank)) << blank;
  }
  for (const char* const text : {" a ", "-", "\u00fc", "\u200d", " \xff", "\xc2"}) {
    EXPECT_FALSE(is_blank(text)) << text;
  }
}

TEST(TerminalText, JsonMeansTheSame) {
  EXPECT_EQ(terminal_json("\"\xe2\x80\xae\xf3\xa0\x80\x81\""), "\"\\u202e\\udb40\\udc01\"");
}

TEST(TerminalText, WhatIsNoUtf8BecomesText) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("Gr\u00fc\u00dfe, \u4e16\u754c \x1b\n"));
  for (const char* const bad : {"\xff", "a\xc3", "\xc0\x9b", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_FALSE(is_utf8(bad));
    EXPECT_TRUE(is_utf8(valid_utf8(bad)));
  }
  EXPECT_EQ(valid_utf8("\u00fc\xff\x1b\xc3"), "\u00fc\\xff\x1b\\xc3") << "nothing else is changed";
  EXPECT_EQ(terminal_json("\"\xff\""), "\"\\ufffd\"") << "JSON stays JSON";
}

}  // namespace
}  // namespace parley::cli
