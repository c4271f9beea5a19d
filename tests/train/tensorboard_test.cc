#include "train/tensorboard.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "train/samples.h"

namespace tern {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

// Made by tools/oracle/tensorboard_check.py --golden: the messages by TensorBoard's own protobuf classes, the framing
// by its RecordWriter.
TEST(TensorBoard, RecordsAreTheBytesOfTensorBoardsOwnWriter) {
  EXPECT_EQ(hex(tfrecord(version_event(1.5))),
            "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c");
  EXPECT_EQ(hex(tfrecord(restart_event(1.5, 301))), "100000000000000095fbfe1809000000000000f83f10ad023a020801d17949d4");
  EXPECT_EQ(hex(tfrecord(scalars_event(2.25, 70000, {{"train/loss", 3.5f}, {"valid/loss", -0.1f}}))),
            "3500000000000000d6c55de609000000000000024010f0a2042a260a110a0a747261696e2f6c6f7373"
            "15000060400a110a0a76616c69642f6c6f737315cdccccbdbf671ba3");
}

class Watching : public testing::Test {
 protected:
  Watching() : directory_(std::filesystem::temp_directory_path() / ("tern-watching-" + std::to_string(::getpid()))) {}
  ~Watching() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
};

TEST_F(Watching, LaterFilesSortBehindAndBeginWithARestart) {
  for (int i = 0; i < 3; ++i) {
    EventLog log(directory_);
    log.add_line(R"({"step":300,"loss":2.5,"note":"text","lr":null})");
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  ASSERT_EQ(files.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(files[i].filename().string().ends_with(fmt::format(".tern.{:04}", i))) << files[i];
    // The sizes say which records there are: all have fixed lengths.
    size_t expected =
        tfrecord(version_event(1)).size() + tfrecord(scalars_event(1, 301, {{"train/loss", 2.5f}})).size();
    if (i > 0) expected += tfrecord(restart_event(1, 301)).size();
    EXPECT_EQ(read_file(files[i]).size(), expected);
  }
  write_file(directory_ / "plain", "");
  EXPECT_THROW(EventLog(directory_ / "plain"), Error);
}

TEST_F(Watching, SamplesOfLaterStepsAreTakenOut) {
  make_directories(directory_);
  const std::filesystem::path path = directory_ / kSamplesFile;
  const std::string broken = "{\"steps\":4,\"te";
  {
    SampleLog log(path);
    for (int64_t steps : {2, 4, 6}) log.add({steps, "a", "b\n\xff", 3, "length"});
  }
  const std::string all = read_file(path);
  EXPECT_EQ(all.substr(0, all.find('\n')),
            "{\"steps\":2,\"prompt\":\"a\",\"text\":\"b\\n\xEF\xBF\xBD\",\"tokens\":3,\"stop_reason\":\"length\"}");
  write_file(path, all + broken);
  SampleLog resumed(path);
  resumed.add({4, "a", "b\n\xff", 3, "length"});
  resumed.add({6, "a", "b\n\xff", 3, "length"});
  EXPECT_EQ(read_file(path), all);
}

}  // namespace
}  // namespace tern
