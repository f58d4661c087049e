// What the demo draws: bars, marks, the table, and that all of it fits the terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "parley/demo/ack_times.h"
#include "parley/demo/picture.h"
#include "parley/demo/strip_chart.h"
#include "parley/demo/styled.h"

namespace parley::demo {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(StripChart, BarsAreEighthsAndZeroIsBlank) {
  EXPECT_THAT(bars({0, 1, 4, 8, 9}, 8, 1), ElementsAre(" ▁▄██"));
  EXPECT_THAT(bars({0, 1, 8, 9, 16}, 16, 2), ElementsAre("   ▁█", " ▁███"));
  EXPECT_THAT(bars({1}, 1'000, 1), ElementsAre("▁")) << "what is not zero is seen";
  EXPECT_THAT(bars({}, 8, 1), ElementsAre(""));
}

TEST(StripChart, MarksStandWhereTheyHappened) {
  EXPECT_THAT(mark_lines({{2, "kill 3"}, {12, "back 3"}}, 22, 1), ElementsAre("  ▼ kill 3  ▼ back 3  "));
  EXPECT_THAT(mark_lines({{0, "kill 3"}, {4, "back 3"}}, 12, 2), ElementsAre("▼ kill 3    ", "    ▼ back 3"));
  EXPECT_THAT(mark_lines({{0, "kill 3"}, {4, "back 3"}}, 12, 1), ElementsAre("▼ ki▼ back 3"))
      << "where there is no other line the later one stands";
  EXPECT_THAT(mark_lines({{10, "kill 3"}, {40, "cut 1"}}, 12, 1), ElementsAre("          ▼ "));
}

TEST(StripChart, TextIsCutByCharactersNotBytes) {
  EXPECT_EQ(width_of("▁▂─a"), 4);
  EXPECT_EQ(clipped("▁▂─a", 2), "▁▂");
  EXPECT_EQ(fitted("▁", 3), "▁  ");
  EXPECT_EQ(render({{"▁▂▃", Style::good}, {"abc"}}, 4, false), "▁▂▃a");
  EXPECT_EQ(render({{"ab", Style::bad}, {"c"}}, 2, true), "\x1b[1;31mab\x1b[0m");
}

TEST(AckTimes, CountsColumnsThatAreOver) {
  const Time begin{std::chrono::seconds(100)};
  AckTimes times;
  for (const int ms : {0, 10, 99, 100, 350, 399, 405}) {
    times.add(begin + milliseconds(ms));
  }
  EXPECT_THAT(times.columns(begin + milliseconds(410), 5), ElementsAre(0, 3, 1, 0, 2));
  EXPECT_EQ(times.count_since(begin + milliseconds(350)), 3);
}

TEST(AckTimes, TheLongestSilenceSpansTheMomentItIsAskedFrom) {
  const Time begin{std::chrono::seconds(100)};
  AckTimes times;
  EXPECT_EQ(times.longest_silence(begin, begin + milliseconds(70)), milliseconds(70));
  for (const int ms : {0, 10, 210, 220}) {
    times.add(begin + milliseconds(ms));
  }
  EXPECT_EQ(times.longest_silence(begin + milliseconds(15), begin + milliseconds(230)), milliseconds(200));
  EXPECT_EQ(times.longest_silence(begin + milliseconds(15), begin + milliseconds(100)), milliseconds(90))
      << "it goes on";
  EXPECT_EQ(times.longest_silence(begin + milliseconds(215), begin + milliseconds(700)), milliseconds(480));
}

Picture example() {
  Picture picture{.title = "Parley demo", .age = std::chrono::seconds(65)};
  for (int node = 1; node <= kNodes; ++node) {
    picture.rows.push_back({.node = node, .page = "http://127.0.0.1:808" + std::to_string(node) + "/"});
  }
  picture.rows[0].condition = Condition::killed;
  picture.rows[1].status =
      NodeStatus{.role = Role::leader, .term = 4, .commit_index = 12'345, .applied_index = 12'344};
  picture.rows[1].is_leader = true;
  picture.rows[2].condition = Condition::cut_off;
  picture.rows[2].status = NodeStatus{.role = Role::leader, .term = 3};
  picture.columns = std::vector<std::uint32_t>(76, 10);
  picture.columns[70] = 0;
  picture.newest_column = 1'000;
  picture.marks = {{.column = 994, .text = "kill 1", .is_fault = true}};
  picture.counts = {.sent = 1'234'567, .acknowledged = 1'234'560, .open = 7};
  picture.story = {{.age = milliseconds(61'000), .text = "killed node 1", .silence = milliseconds(38)}};
  picture.last_words = "ann: \x1b[2Jhello";
  return picture;
}

std::string text_of(const std::vector<StyledLine>& lines) {
  std::string text;
  for (const StyledLine& line : lines) {
    text += plain_text(line) + "\n";
  }
  return text;
}

TEST(DemoPicture, ShowsNodesGapAndCounts) {
  const std::string text = text_of(lay_out(example(), {.columns = 80, .rows = 24}));
  EXPECT_THAT(text, HasSubstr("1    killed   -"));
  EXPECT_THAT(text, HasSubstr("2    runs     LEADER        4     12,345     12,344"));
  EXPECT_THAT(text, HasSubstr("3    cut off  (leader)      3")) << "what it believes is not what is";
  EXPECT_THAT(text, HasSubstr("──·─────")) << "the gap is on the floor line";
  EXPECT_THAT(text, HasSubstr("▼ kill"));
  EXPECT_THAT(text, HasSubstr("sent 1,234,567   acknowledged 1,234,560"));
  EXPECT_THAT(text, HasSubstr("01:01  killed node 1: no write acknowledged for 38 ms"));
  EXPECT_THAT(text, HasSubstr("kill the leader"));
  EXPECT_THAT(text, HasSubstr("ann: \\x1b[2Jhello")) << "people's text is shown, not obeyed";
}

TEST(DemoPicture, FitsEveryTerminal) {
  for (const std::size_t columns : {20U, 40U, 79U, 80U, 200U}) {
    for (const std::size_t rows : {5U, 20U, 24U, 60U}) {
      const auto lines = lay_out(example(), {.columns = columns, .rows = rows});
      EXPECT_LE(lines.size(), rows);
      for (const StyledLine& line : lines) {
        EXPECT_LE(width_of(render(line, columns, false)), columns);
      }
    }
  }
}

TEST(DemoPicture, OneLineSaysTheSame) {
  EXPECT_THAT(one_line(example()), HasSubstr("1:killed 2:runs(leader) 3:cut off"));
}

}  // namespace
}  // namespace parley::demo
