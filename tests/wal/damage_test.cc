// Damage, torn tails, lost files, foreign bytes: what recovery makes of a log that is not as it was written.
#include <gmock/gmock.h>

#include <functional>
#include <random>
#include <span>

#include "log_model.h"
#include "wal/record.h"

namespace parley::wal {
namespace {

const Options kOptions = {.segment_size_bytes = 4096, .seed = 6, .prepares_in_thread = false};

bool is_segment(const std::string& path) { return path.ends_with(".log"); }

std::expected<Log::Opened, OpenError> open_image(sim::FaultyFileSystem& disk, const Image& image) {
  put_image(disk, image);
  return Log::open(disk, kFolder, kOptions);
}

struct Batch {
  std::string path;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t number = 0;
};

// Where the batches of an image lie.
std::vector<Batch> batches_of(const Image& image) {
  std::vector<Batch> batches;
  for (const auto& [path, content] : image) {
    if (!is_segment(path)) continue;
    const auto header = decode_segment_header(content);
    EXPECT_TRUE(header);
    std::uint64_t at = kSegmentHeaderBytes;
    while (const auto batch = read_batch(content, at, header->salt, std::nullopt)) {
      batches.push_back({.path = path, .begin = at, .end = batch->end_bytes, .number = batch->number});
      at = batch->end_bytes;
    }
  }
  return batches;
}

std::uint64_t salt_of(const std::string& content) { return decode_segment_header(content)->salt; }

// The highest index in each file, or in the ones before it.
std::map<std::string, raft::Index> last_index_by_file(const Image& image) {
  std::map<std::string, raft::Index> last;
  for (const Batch& place : batches_of(image)) {
    const std::string& content = image.at(place.path);
    const auto batch = read_batch(content, place.begin, salt_of(content), place.number);
    for (const RecordView& record : batch->records) {
      if (record.type == RecordType::entry) {
        last[place.path] = std::max(last[place.path], decode_entry(record)->index);
      }
    }
  }
  raft::Index before;
  for (const auto& [path, content] : image) before = last.try_emplace(path, before).first->second;
  return last;
}

void flip(std::string& content, std::size_t at) {
  content[at] = static_cast<char>(content[at] ^ (1 << (at % 8)));
}

// The judgement of J17 for each place: in the last, unsealed batch a torn tail, in the empty space where the
// next batch will be written nothing is lost, anywhere else damage of this file.
void expect_right_judgement(const SmallLog& small, const Batch& last_batch, bool last_is_seal,
                            const std::string& path, std::size_t at,
                            const std::map<std::string, raft::Index>& last_indexes) {
  Image image = small.image;
  flip(image.at(path), at);
  sim::FaultyFileSystem disk(3);
  const auto opened = open_image(disk, image);
  const bool in_last_batch = path == last_batch.path && at >= last_batch.begin && at < last_batch.end;
  const bool behind = path == last_batch.path && at >= last_batch.end;
  const bool in_next = path > last_batch.path && at >= kSegmentHeaderBytes;
  if (in_last_batch || behind || in_next) {
    ASSERT_TRUE(opened) << path << ' ' << at << ": " << opened.error().describe();
    EXPECT_TRUE(opened->recovered.dropped_torn_tail);
    const bool loses_batch = in_last_batch && !last_is_seal;
    EXPECT_EQ(content_of(opened->log, opened->recovered), *(small.history.rbegin() + (loses_batch ? 1 : 0)))
        << path << ' ' << at;
    return;
  }
  ASSERT_FALSE(opened) << path << ' ' << at;
  ASSERT_TRUE(opened.error().damage) << path << ' ' << at << ": " << opened.error().describe();
  EXPECT_EQ(opened.error().damage->file, path) << at;
  EXPECT_LE(opened.error().damage->offset_bytes, at);
  EXPECT_THAT(opened.error().describe(), testing::HasSubstr("entry"));
  if (at >= kSegmentHeaderBytes && opened.error().damage->near_index) {
    // The last entry before the damage: it lies in this file or before it.
    EXPECT_LE(*opened.error().damage->near_index, last_indexes.at(path));
  }
}

TEST(LogDamage, the_small_log_has_everything) {
  const SmallLog small = make_small_log();
  const std::vector<Batch> batches = batches_of(small.image);
  EXPECT_GE(small.image.size(), 4);
  EXPECT_GT(batches.front().number, 1) << "compaction deleted nothing";
  EXPECT_GE(batches.size(), 10);
  sim::FaultyFileSystem disk(3);
  const auto opened = open_image(disk, small.image);
  ASSERT_TRUE(opened) << opened.error().describe();
  EXPECT_EQ(content_of(opened->log, opened->recovered), small.history.back());
}

TEST(LogDamage, J17_flipped_bit_anywhere) {
  const SmallLog small = make_small_log();
  const Batch last_batch = batches_of(small.image).back();
  const auto last_indexes = last_index_by_file(small.image);
  for (const auto& [path, content] : small.image) {
    for (std::size_t at = 0; at < content.size(); ++at) {
      expect_right_judgement(small, last_batch, false, path, at, last_indexes);
      ASSERT_FALSE(HasFailure());
    }
  }
}

// A sealed batch is never dropped.
TEST(LogDamage, J17_flipped_bit_anywhere_in_a_sealed_log) {
  SmallLog small = make_small_log();
  {
    sim::FaultyFileSystem disk(3);
    auto opened = open_image(disk, small.image);
    ASSERT_TRUE(opened);
    ASSERT_TRUE(opened->log.seal());
    small.image = image_of(disk);
  }
  const Batch seal = batches_of(small.image).back();
  ASSERT_EQ(seal.end - seal.begin, kRecordHeaderBytes);
  const auto last_indexes = last_index_by_file(small.image);
  for (const auto& [path, content] : small.image) {
    for (std::size_t at = 0; at < content.size(); ++at) {
      expect_right_judgement(small, seal, true, path, at, last_indexes);
      ASSERT_FALSE(HasFailure());
    }
  }
}

TEST(LogDamage, F_file_truncated_at_every_length_or_grown_is_damage) {
  const SmallLog small = make_small_log();
  for (const auto& [path, content] : small.image) {
    for (std::size_t size = 0; size <= content.size() + 1; ++size) {
      if (size == content.size()) continue;
      Image image = small.image;
      image[path].resize(size);
      sim::FaultyFileSystem disk(3);
      const auto opened = open_image(disk, image);
      ASSERT_FALSE(opened) << path << ' ' << size;
      ASSERT_TRUE(opened.error().damage);
      ASSERT_EQ(opened.error().damage->file, path);
    }
  }
}

// Whatever files go: the log is whole, or damaged, or not there at all.
TEST(LogDamage, J17_lost_segments_are_found) {
  const SmallLog small = make_small_log();
  std::vector<std::string> paths;
  for (const auto& [path, content] : small.image) {
    if (is_segment(path)) paths.push_back(path);
  }
  ASSERT_LE(paths.size(), 8);
  for (std::uint64_t lost = 1; lost < (1ULL << paths.size()); ++lost) {
    Image image = small.image;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if ((lost >> i & 1) != 0) image.erase(paths[i]);
    }
    sim::FaultyFileSystem disk(3);
    make_data_folder(disk);
    const auto opened = open_image(disk, image);
    if (image.empty() || lost + 1 == (1ULL << paths.size())) {
      ASSERT_TRUE(opened);
      EXPECT_TRUE(opened->recovered.is_new);
      continue;
    }
    ASSERT_FALSE(opened) << lost;
    EXPECT_TRUE(opened.error().damage) << lost;
  }
}

TEST(LogDamage, files_that_are_exchanged_or_foreign_are_damage) {
  const SmallLog small = make_small_log();
  const std::string first = small.image.begin()->first;
  const std::string second = std::next(small.image.begin())->first;
  {
    Image image = small.image;
    std::swap(image[first], image[second]);
    sim::FaultyFileSystem disk(3);
    const auto opened = open_image(disk, image);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().describe(), testing::HasSubstr("the file's content is segment"));
  }
  {
    Image image = small.image;
    SegmentHeader header = *decode_segment_header(image[second]);
    header.incarnation = raft::Incarnation(header.incarnation.value() + 1);
    image[second].replace(0, kSegmentHeaderBytes, encode(header));
    sim::FaultyFileSystem disk(3);
    const auto opened = open_image(disk, image);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().describe(), testing::HasSubstr("belongs to another log"));
  }
}

TEST(LogDamage, F_file_of_a_newer_version_is_refused_and_left_alone) {
  const SmallLog small = make_small_log();
  const std::string last = small.image.rbegin()->first;
  Image image = small.image;
  SegmentHeader header = *decode_segment_header(image[last]);
  header.version = kFormatVersion + 1;
  image[last].replace(0, kSegmentHeaderBytes, encode(header));
  image[kFolder + "/00000000000000000099.tmp"] = "left over";
  flip(image.begin()->second, 200);  // damage elsewhere is not judged
  sim::FaultyFileSystem disk(3);
  const auto opened = open_image(disk, image);
  ASSERT_FALSE(opened);
  ASSERT_TRUE(opened.error().newer);
  EXPECT_EQ(opened.error().newer->file, last);
  EXPECT_EQ(opened.error().newer->version, kFormatVersion + 1);
  EXPECT_THAT(opened.error().describe(), testing::HasSubstr("newer"));
  EXPECT_EQ(image_of(disk), image);
}

TEST(LogDamage, damage_leaves_the_files_as_they_are) {
  Image image = make_small_log().image;
  image[kFolder + "/00000000000000000099.tmp"] = "left over";
  flip(image.begin()->second, 200);
  sim::FaultyFileSystem disk(3);
  ASSERT_FALSE(open_image(disk, image));
  EXPECT_EQ(image_of(disk), image);
}

// A torn batch whose later records are intact, then a new batch of the same length over its start, torn the
// other way round. Even if the zeros between the two never reached the disk.
TEST(LogDamage, J17_nothing_of_a_torn_batch_comes_back) {
  const SmallLog small = make_small_log();
  const auto three = [](char letter) {
    return batch({entry(25, 2, std::string(200, letter)), entry(26, 2, std::string(200, letter)),
                  entry(27, 2, std::string(200, letter))});
  };
  const auto stored = [&](char letter) {
    sim::FaultyFileSystem disk(3);
    auto opened = open_image(disk, small.image);
    EXPECT_TRUE(opened->log.append(three(letter)));
    return image_of(disk);
  };
  const Image old_batch = stored('o');
  const Image new_batch = stored('n');
  const Batch place = batches_of(old_batch).back();
  ASSERT_EQ(place.number, batches_of(new_batch).back().number);
  const std::uint64_t first_record = kRecordHeaderBytes + 16 + 200;
  for (std::uint64_t cut = 8; place.begin + cut < place.end; cut += 8) {
    // What the first crash left: the old batch without its first record.
    Image torn = old_batch;
    torn[place.path].replace(place.begin, first_record, first_record, '\0');
    {
      sim::FaultyFileSystem disk(3);
      auto opened = open_image(disk, torn);
      ASSERT_TRUE(opened);
      EXPECT_TRUE(opened->recovered.dropped_torn_tail);
      ASSERT_EQ(content_of(opened->log, opened->recovered), small.history.back());
      EXPECT_TRUE(is_all_zero(disk.content(place.path).substr(place.begin)));
    }
    // What the second crash left: the start of the new batch, then the old one's bytes.
    for (const bool zeros_were_lost : {true, false}) {
      Image mixed = zeros_were_lost ? torn : small.image;
      mixed[place.path].replace(place.begin, cut, new_batch.at(place.path), place.begin, cut);
      sim::FaultyFileSystem disk(3);
      auto opened = open_image(disk, mixed);
      ASSERT_TRUE(opened) << cut;
      ASSERT_EQ(content_of(opened->log, opened->recovered), small.history.back()) << cut;
    }
  }
}

// Records within a message: copies of real ones, and ones made for the very place where they lie. Only who
// knows the segment's salt could make one that passes.
TEST(LogDamage, J17_a_body_that_looks_like_a_record_is_none) {
  const SmallLog small = make_small_log();
  const Batch last = batches_of(small.image).back();
  const std::uint64_t salt = salt_of(small.image.at(last.path));
  const std::uint64_t body_at = last.end + kRecordHeaderBytes + 16;
  for (const bool knows_salt : {false, true}) {
    BatchBuilder forged;
    forged.add(entry(26, 2, "forged"));
    std::string body(forged.finish(knows_salt ? salt : salt + 1, body_at, last.number + 2));
    body += small.image.at(last.path).substr(last.begin, last.end - last.begin);
    sim::FaultyFileSystem disk(3);
    Image image;
    {
      auto opened = open_image(disk, small.image);
      ASSERT_TRUE(opened->log.append(batch({entry(25, 2, body)})));
      image = image_of(disk);
    }
    ASSERT_EQ(batches_of(image).back().begin, last.end);
    flip(image[last.path], last.end + 3);  // the record that holds the body is torn
    sim::FaultyFileSystem other(3);
    const auto opened = open_image(other, image);
    if (knows_salt) {
      EXPECT_FALSE(opened) << "this test tests nothing";
      continue;
    }
    ASSERT_TRUE(opened) << opened.error().describe();
    EXPECT_EQ(content_of(opened->log, opened->recovered), small.history.back());
  }
}

// Replaces the segment start of `path` by one with another content, checksums right.
void change_segment_start(Image& image, const std::string& path,
                          const std::function<void(SegmentStart&)>& change) {
  std::string& content = image[path];
  const auto batch = read_batch(content, kSegmentHeaderBytes, salt_of(content), std::nullopt);
  ASSERT_TRUE(batch);
  SegmentStart start = *decode_segment_start(batch->records.front().body);
  change(start);
  BatchBuilder builder;
  for (const RecordView& record : std::span(batch->records).subspan(1)) {
    if (record.type == RecordType::entry) {
      builder.add(*decode_entry(record));
    } else {
      builder.add(record.type, record.body);
    }
  }
  builder.begin_segment(start);
  const std::string bytes(builder.finish(salt_of(content), kSegmentHeaderBytes, batch->number));
  ASSERT_EQ(bytes.size(), batch->end_bytes - kSegmentHeaderBytes) << "the change keeps the size";
  content.replace(kSegmentHeaderBytes, bytes.size(), bytes);
}

// A segment is checked against what the ones before it add up to.
TEST(LogDamage, a_segment_start_that_contradicts_is_damage) {
  const SmallLog small = make_small_log();
  const std::string second = std::next(small.image.begin())->first;
  const std::function<void(SegmentStart&)> changes[] = {
      [](SegmentStart& start) { start.last = start.last.next(); },
      [](SegmentStart& start) { start.last_term = start.last_term.next(); },
      [](SegmentStart& start) { start.hard_state.term = start.hard_state.term.next(); },
      [](SegmentStart& start) { start.hard_state.voted_for = member(9); },
  };
  for (const auto& change : changes) {
    Image image = small.image;
    change_segment_start(image, second, change);
    sim::FaultyFileSystem disk(3);
    const auto opened = open_image(disk, image);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().describe(),
                testing::HasSubstr("does not begin where the one before it ended"));
    EXPECT_EQ(opened.error().damage->file, second);
  }
  // Segment 1 begins with nothing.
  sim::FaultyFileSystem disk(3);
  make_data_folder(disk);
  {
    const auto opened = must_open(disk, kOptions);
  }
  Image image = image_of(disk);
  change_segment_start(image, image.begin()->first,
                       [](SegmentStart& start) { start.hard_state.term = raft::Term(4); });
  sim::FaultyFileSystem other(3);
  EXPECT_FALSE(open_image(other, image));
}

// Every batch of the image again, one of them changed, all checksums right: as if a program with a bug, or
// somebody with intent, had written it.
Image rebuild_with_changed_record(const Image& image, std::mt19937_64& random) {
  Image rebuilt = image;
  const std::vector<Batch> batches = batches_of(image);
  const Batch& chosen = batches[random() % batches.size()];
  std::string& content = rebuilt[chosen.path];
  const std::uint64_t salt = salt_of(content);
  const auto batch = read_batch(content, chosen.begin, salt, std::nullopt);
  const std::size_t changed = random() % batch->records.size();
  BatchBuilder builder;
  for (std::size_t i = 0; i < batch->records.size(); ++i) {
    const RecordView& record = batch->records[i];
    if (record.type == RecordType::entry && (i != changed || random() % 2 == 0)) {
      auto made = *decode_entry(record);
      if (i == changed) {
        if (random() % 2 == 0) made.index = raft::Index(made.index.value() + random() % 5 - 2);
        if (random() % 2 == 0) made.term = raft::Term(made.term.value() + random() % 3 - 1);
        if (random() % 3 == 0) made.kind = static_cast<raft::EntryKind>(random() % 7);
      }
      builder.add(made);
      continue;
    }
    std::string body(record.body);
    auto type = record.type;
    if (i == changed) {
      for (std::uint64_t flips = random() % 3; flips > 0 && !body.empty(); --flips) {
        body[random() % body.size()] = static_cast<char>(random() % 4 == 0 ? random() : random() % 6);
      }
      if (random() % 4 == 0) body.resize(random() % (body.size() + 9));
      if (random() % 6 == 0) type = static_cast<RecordType>(random() % 9);
    }
    builder.add(type, body);
  }
  const std::string bytes(builder.finish(salt, chosen.begin, batch->number));
  if (chosen.begin + bytes.size() <= content.size()) content.replace(chosen.begin, bytes.size(), bytes);
  return rebuilt;
}

TEST(LogDamage, foreign_records_with_right_checksums_are_judged_or_usable) {
  const SmallLog small = make_small_log();
  std::mt19937_64 random(20261120);
  int usable = 0;
  for (int round = 0; round < 4000; ++round) {
    const Image image = rebuild_with_changed_record(small.image, random);
    sim::FaultyFileSystem disk(3);
    auto opened = open_image(disk, image);
    if (!opened) {
      ASSERT_TRUE(opened.error().damage) << opened.error().describe();
      continue;
    }
    ++usable;
    const Model content = content_of(opened->log, opened->recovered);
    {
      const Log closed = std::move(opened->log);
    }
    const auto again = must_open(disk, kOptions);
    ASSERT_EQ(content_of(again.log, again.recovered), content);
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(usable, 50);
  EXPECT_LT(usable, 3950);
}

// Sectors exchanged, repeated, zeroed, filled with noise: never content that the log did not have at some
// time.
TEST(LogDamage, mangled_files_never_give_wrong_content) {
  const SmallLog small = make_small_log();
  std::mt19937_64 random(4711);
  int damaged = 0;
  for (int round = 0; round < 4000; ++round) {
    Image image = small.image;
    auto file = std::next(image.begin(), static_cast<std::ptrdiff_t>(random() % image.size()));
    std::string& content = file->second;
    if (content.empty()) continue;
    const std::size_t granularity = random() % 2 == 0 ? 512 : 8;
    const std::size_t places = content.size() / granularity;
    const std::size_t at = random() % places * granularity;
    const std::size_t from = random() % places * granularity;
    switch (random() % 4) {
      case 0:
        content.replace(at, granularity, granularity, '\0');
        break;
      case 1:
        content.replace(at, granularity, content.substr(from, granularity));
        break;
      case 2: {
        const std::string kept = content.substr(at, granularity);
        content.replace(at, granularity, content.substr(from, granularity));
        content.replace(from, granularity, kept);
        break;
      }
      default:
        for (std::size_t i = 0; i < granularity; ++i) content[at + i] = static_cast<char>(random());
    }
    sim::FaultyFileSystem disk(3);
    const auto opened = open_image(disk, image);
    if (!opened) {
      ASSERT_TRUE(opened.error().damage) << opened.error().describe();
      ++damaged;
      continue;
    }
    ASSERT_THAT(small.history, testing::Contains(content_of(opened->log, opened->recovered)));
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_GT(damaged, 500);
}

}  // namespace
}  // namespace parley::wal
