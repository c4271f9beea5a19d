#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "base/memory.h"

#include "support/errors.h"

namespace tern {
namespace {

using test::error_of;

namespace fs = std::filesystem;

// A fresh folder for each test, removed afterwards.
class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "tern-file-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    fs::permissions(folder_, fs::perms::owner_all);
    fs::remove_all(folder_);
  }

  fs::path at(const std::string& name) const { return folder_ / name; }
  size_t entries() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_)) ++count;
    return count;
  }

  fs::path folder_;
};

// Runs `body` in a child process and returns its exit status: 0 when body returned true, 1 when false, 2 when it threw
// something that is not an Error, 128 + n when signal n ended it. For what changes a whole process (limits, users).
template <class Body>
int in_child(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 2;
    try {
      status = body() ? 0 : 1;
    } catch (...) {}
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// From now on a write beyond `bytes` of any file fails with EFBIG, which stands in for a full disk.
void limit_file_size(rlim_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

TEST_F(FileTest, WriteThenRead) {
  const std::string content = std::string("a\0b\n", 4) + std::string(100'000, 'x');
  write_file(at("file"), content);
  EXPECT_EQ(read_file(at("file")), content);
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, ReadingWhatIsNotAFile) {
  EXPECT_EQ(error_of([&] { read_file(at("missing")); }),
            at("missing").string() + ": cannot open for reading: No such file or directory");
  EXPECT_EQ(error_of([&] { read_file(folder_); }),
            folder_.string() + ": expected a regular file, it is a directory, a pipe or a device");
  EXPECT_THROW(read_file("/dev/null"), Error);
  EXPECT_THROW(MappedFile("/dev/null"), Error);
}

TEST_F(FileTest, APipeIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  EXPECT_THROW(read_file(at("pipe")), Error);
  EXPECT_THROW(MappedFile(at("pipe")), Error);
  EXPECT_THROW(AtomicFile(at("pipe")), Error);
  EXPECT_TRUE(fs::is_fifo(at("pipe")));
}

TEST_F(FileTest, CountsTheBytesThatCouldBeRead) {
  write_file(at("file"), std::string(300000, 'x'));
  EXPECT_EQ(read_and_forget(at("file"), 0, 300000), 300000u);
  EXPECT_EQ(read_and_forget(at("file"), 299990, 300000), 10u);
  EXPECT_EQ(read_and_forget(at("missing"), 0, 1), 0u);
}

TEST_F(FileTest, MappedFileShowsTheBytes) {
  write_file(at("file"), "hello");
  MappedFile file(at("file"));
  EXPECT_EQ(file.path(), at("file"));
  ASSERT_EQ(file.bytes().size(), 5u);
  EXPECT_EQ(file.bytes()[4], std::byte{'o'});
}

TEST_F(FileTest, MappedFileOutlivesTheName) {
  write_file(at("file"), "before");
  MappedFile file(at("file"));
  write_file(at("file"), "AFTER!");
  fs::remove(at("file"));
  EXPECT_EQ(ByteReader(file.bytes()).take_text(6, "all"), "before");
}

TEST_F(FileTest, MappedFileComesBackAfterItsPagesWereReleased) {
  const std::string content(3 * 4096 + 5, 'x');
  write_file(at("file"), content);
  const MappedFile file(at("file"));
  EXPECT_EQ(ByteReader(file.bytes()).take_text(content.size(), "all"), content);
  release_pages(file.bytes());
  EXPECT_EQ(ByteReader(file.bytes()).take_text(content.size(), "all"), content);
  release_pages({});
}

TEST_F(FileTest, MappedFileOfNothing) {
  write_file(at("empty"), "");
  MappedFile file(at("empty"));
  EXPECT_EQ(file.bytes().size(), 0u);
  EXPECT_EQ(error_of([&] { MappedFile missing(at("missing")); }),
            at("missing").string() + ": cannot open for reading: No such file or directory");
  EXPECT_THROW(MappedFile directory(folder_), Error);
}

TEST_F(FileTest, MappedFileMoves) {
  write_file(at("one"), "1");
  write_file(at("two"), "22");
  MappedFile one(at("one"));
  MappedFile two(at("two"));
  MappedFile moved(std::move(one));
  EXPECT_EQ(moved.bytes().size(), 1u);
  moved = std::move(two);
  EXPECT_EQ(moved.bytes().size(), 2u);
  EXPECT_EQ(moved.path(), at("two"));
}

TEST_F(FileTest, NothingIsSeenBeforeCommit) {
  write_file(at("file"), "earlier");
  AtomicFile file(at("file"));
  file.write("later");
  EXPECT_EQ(read_file(at("file")), "earlier");
  file.commit();
  EXPECT_EQ(read_file(at("file")), "later");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, WithoutCommitTheTemporaryGoesAndTheEarlierFileStays) {
  write_file(at("file"), "earlier");
  {
    AtomicFile file(at("file"));
    file.write(std::string(size_t{3} << 20, 'x'));
    EXPECT_EQ(entries(), 2u);
  }
  EXPECT_EQ(entries(), 1u);
  EXPECT_EQ(read_file(at("file")), "earlier");
}

TEST_F(FileTest, PiecesOfEverySizeArriveInOrder) {
  // Around the size of the write buffer (1 MiB): below, at and above it, with something buffered before.
  std::string expected;
  AtomicFile file(at("file"));
  size_t number = 0;
  for (const size_t size : {size_t{1}, size_t{1} << 20, size_t{7}, (size_t{1} << 20) - 7, size_t{1}, size_t{0},
                            (size_t{1} << 20) - 1, size_t{3} << 20, size_t{5}}) {
    const std::string piece(size, static_cast<char>('a' + number++));
    file.write(piece);
    expected += piece;
    EXPECT_EQ(file.size(), expected.size());
  }
  file.commit();
  EXPECT_TRUE(read_file(at("file")) == expected);
}

TEST_F(FileTest, RewriteReplacesBytesWhereverTheyAre) {
  AtomicFile file(at("file"));
  file.write("count=????;");
  file.write(std::string(size_t{2} << 20, 'x'));
  file.write("tail");
  file.rewrite(6, as_bytes("0042"));
  file.rewrite(file.size() - 4, as_bytes("TAIL"));
  file.write(" and more");
  file.commit();
  EXPECT_TRUE(read_file(at("file")) == "count=0042;" + std::string(size_t{2} << 20, 'x') + "TAIL and more");
}

TEST_F(FileTest, AFailedWriteKeepsTheEarlierFile) {
  write_file(at("file"), "earlier");
  const std::string expected = at("file").string() + ": write failed: File too large (any earlier file is unchanged)";
  const auto fails_to_write = [&](size_t bytes) {
    limit_file_size(rlim_t{1} << 20);
    return error_of([&] { write_file(at("file"), std::string(bytes, 'x')); }) == expected;
  };
  EXPECT_EQ(in_child([&] { return fails_to_write((size_t{1} << 20) + 1); }), 0);  // past the limit by one byte
  EXPECT_EQ(in_child([&] { return fails_to_write(size_t{5} << 20); }), 0);
  EXPECT_EQ(read_file(at("file")), "earlier");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, AFailedFlushAtCommitKeepsTheEarlierFile) {
  write_file(at("file"), "earlier");
  const auto fails_at_commit = [&] {
    limit_file_size(100);
    AtomicFile file(at("file"));
    file.write(std::string(1000, 'x'));  // stays in the buffer
    return error_of([&] { file.commit(); }) != "no error";
  };
  EXPECT_EQ(in_child(fails_at_commit), 0);
  EXPECT_EQ(read_file(at("file")), "earlier");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, AFailedRewriteSaysSo) {
  const auto fails = [&] {
    limit_file_size(100);
    AtomicFile file(at("file"));
    file.write(std::string(200, 'x'));
    return error_of([&] { file.rewrite(150, as_bytes("y")); }) != "no error";
  };
  EXPECT_EQ(in_child(fails), 0);
  EXPECT_EQ(entries(), 0u);
}

TEST_F(FileTest, AProcessKilledWhileWritingLeavesTheEarlierFile) {
  write_file(at("file"), "earlier");
  const auto killed = [&]() -> bool {
    AtomicFile file(at("file"));
    file.write(std::string(size_t{2} << 20, 'x'));
    ::raise(SIGKILL);
    return false;
  };
  EXPECT_EQ(in_child(killed), 128 + SIGKILL);
  EXPECT_EQ(read_file(at("file")), "earlier");
}

TEST_F(FileTest, UnwritablePlaces) {
  EXPECT_EQ(error_of([&] { write_file(at("missing/file"), "x"); }),
            at("missing/file").string() + ": cannot open for writing: No such file or directory");
  write_file(at("plain"), "x");
  EXPECT_EQ(error_of([&] { write_file(at("plain") / "file", "x"); }),
            (at("plain") / "file").string() + ": cannot open for writing: Not a directory");
  EXPECT_EQ(error_of([&] { write_file(folder_, "x"); }),
            folder_.string() + ": cannot write: expected a regular file, it is a directory, a pipe or a device");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, ADeviceIsNeverReplaced) {
  EXPECT_THROW(write_file("/dev/full", "x"), Error);
  EXPECT_THROW(write_file("/dev/null", "x"), Error);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(FileTest, ANameThatIsTooLongIsAnErrorOfOurs) {
  const fs::path path = at(std::string(5000, 'x'));
  EXPECT_THROW(write_file(path, "x"), Error);
  EXPECT_THROW(read_file(path), Error);
  EXPECT_THROW(make_directories(path), Error);
}

TEST_F(FileTest, AFolderWithoutPermission) {
  write_file(at("file"), "earlier");
  fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_all);
  fs::permissions(folder_, fs::perms::group_write | fs::perms::others_write, fs::perm_options::remove);
  const auto fails = [&] {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && ::setuid(kNobody) != 0) return false;  // root writes everywhere
    return error_of([&] { write_file(at("file"), "x"); }) ==
           at("file").string() + ": cannot open for writing: Permission denied";
  };
  EXPECT_EQ(in_child(fails), 0);
  EXPECT_EQ(read_file(at("file")), "earlier");
}

TEST_F(FileTest, DirectoriesOfWhatWasRefusedGoAgain) {
  using Contents = NewDirectories::Contents;
  fs::create_directory(at("old"));
  for (const Contents contents : {Contents::kOurs, Contents::kShared}) {
    for (const char* name : {"old/a/b", "old/a/b/"}) {
      { const NewDirectories made(at(name), contents); }
      EXPECT_TRUE(fs::is_empty(at("old"))) << name;
    }
    {
      const NewDirectories made(at("old"), contents);  // was there
      write_file(at("old/kept"), "1");
    }
    EXPECT_EQ(read_file(at("old/kept")), "1");
    fs::remove(at("old/kept"));
    {
      const NewDirectories made(at("old/a/b"), contents);
      write_file(at("old/a/b/file"), "1");
    }
    EXPECT_EQ(fs::exists(at("old/a")), contents == Contents::kShared);
  }
  {
    NewDirectories made(at("new"), Contents::kOurs);
    made.keep();
  }
  EXPECT_TRUE(fs::exists(at("new")));
}

TEST_F(FileTest, MakeDirectories) {
  make_directories(at("a/b/c"));
  make_directories(at("a/b/c"));
  EXPECT_TRUE(fs::is_directory(at("a/b/c")));
  write_file(at("plain"), "x");
  EXPECT_THROW(make_directories(at("plain")), Error);
  EXPECT_THROW(make_directories(at("plain/below")), Error);
  EXPECT_EQ(read_file(at("plain")), "x");
}

}  // namespace
}  // namespace tern
