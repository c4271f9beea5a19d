// Event files as TensorBoard reads them: TFRecord framing (a length and two checksums around every record), records
// that are protobuf messages `Event` (tensorboard/compat/proto/event.proto), scalars as Summary.Value.simple_value.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

struct EventScalar {
  std::string tag;
  float value = 0;
};

// `data` as one TFRecord: u64 length, its masked CRC-32C, data, its masked CRC-32C.
std::string tfrecord(std::string_view data);

// Event messages. `wall_time` in seconds since 1970.
std::string version_event(double wall_time);                // what every file begins with
std::string restart_event(double wall_time, int64_t step);  // readers drop what earlier files say from `step` on
std::string scalars_event(double wall_time, int64_t step, const std::vector<EventScalar>& scalars);

// A new event file in `directory`, named so that it sorts behind those that are there.
class EventLog {
 public:
  explicit EventLog(const std::filesystem::path& directory);
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // A line of metrics.jsonl: its numbers become scalars "train/KEY" or, of keys "valid_KEY", "valid/KEY", at the number
  // of steps made. Before the first line of a directory that has event files already, a restart after the steps it
  // follows. On the disk, as far as this process goes, when the call returns; Error when it cannot be written.
  void add_line(std::string_view text);

 private:
  void write(const std::string& event);

  std::filesystem::path path_;
  std::FILE* file_;
  bool restarts_;  // and no line was added yet
};

}  // namespace tern
