#include "train/tensorboard.h"

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace tern {
namespace {

constexpr std::string_view kFilePrefix = "events.out.tfevents.";

// Numbers of the messages' fields.
namespace field {
constexpr uint32_t kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;  // Event
constexpr uint32_t kValue = 1;                                                                 // Summary
constexpr uint32_t kTag = 1, kSimpleValue = 2;                                                 // Summary.Value
constexpr uint32_t kStatus = 1;                                                                // SessionLog
}  // namespace field
constexpr uint64_t kStatusStart = 1;  // SessionLog.SessionStatus.START

// Protobuf's wire format: a key (field number and kind) before every value.
class Message {
 public:
  void add_double(uint32_t number, double value) {
    add_key(number, 1);
    bytes_.write(value);
  }
  void add_float(uint32_t number, float value) {
    add_key(number, 5);
    bytes_.write(value);
  }
  void add_number(uint32_t number, uint64_t value) {
    add_key(number, 0);
    add_varint(value);
  }
  void add_text(uint32_t number, std::string_view text) {
    add_key(number, 2);
    add_varint(text.size());
    bytes_.write_text(text);
  }
  const std::string& bytes() const { return bytes_.text(); }

 private:
  void add_key(uint32_t number, uint32_t kind) { add_varint(number << 3 | kind); }
  void add_varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.write(static_cast<uint8_t>(value | 0x80));
    bytes_.write(static_cast<uint8_t>(value));
  }

  ByteWriter bytes_;
};

Message event_at(double wall_time, int64_t step) {
  Message event;
  event.add_double(field::kWallTime, wall_time);
  event.add_number(field::kStep, static_cast<uint64_t>(step));
  return event;
}

uint32_t masked_crc(std::string_view data) {
  const uint32_t crc = crc32c(as_bytes(data));
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8;
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Readers take the files of a directory in the order of their names, which begin with the second they were made in; a
// clock that was set back, or a second file in one second, must not change it.
std::filesystem::path next_path(const std::filesystem::path& directory, size_t& others) {
  auto second = static_cast<uint64_t>(wall_time());
  others = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kFilePrefix)) continue;
    ++others;
    const uint64_t theirs = std::strtoull(name.c_str() + kFilePrefix.size(), nullptr, 10);
    second = std::max(second, theirs < 10'000'000'000 ? theirs : 0);
  }
  return directory / fmt::format("{}{:010}.tern.{:04}", kFilePrefix, second, others);
}

}  // namespace

std::string tfrecord(std::string_view data) {
  ByteWriter length;
  length.write(static_cast<uint64_t>(data.size()));
  ByteWriter record;
  record.write_text(length.text());
  record.write(masked_crc(length.text()));
  record.write_text(data);
  record.write(masked_crc(data));
  return record.text();
}

std::string version_event(double wall_time) {
  Message event;
  event.add_double(field::kWallTime, wall_time);
  event.add_text(field::kFileVersion, "brain.Event:2");
  return event.bytes();
}

std::string restart_event(double wall_time, int64_t step) {
  Message log;
  log.add_number(field::kStatus, kStatusStart);
  Message event = event_at(wall_time, step);
  event.add_text(field::kSessionLog, log.bytes());
  return event.bytes();
}

std::string scalars_event(double wall_time, int64_t step, const std::vector<EventScalar>& scalars) {
  Message summary;
  for (const EventScalar& scalar : scalars) {
    Message value;
    value.add_text(field::kTag, scalar.tag);
    value.add_float(field::kSimpleValue, scalar.value);
    summary.add_text(field::kValue, value.bytes());
  }
  Message event = event_at(wall_time, step);
  event.add_text(field::kSummary, summary.bytes());
  return event.bytes();
}

EventLog::EventLog(const std::filesystem::path& directory) {
  make_directories(directory);
  size_t others = 0;
  path_ = next_path(directory, others);
  restarts_ = others > 0;
  file_ = std::fopen(path_.c_str(), "wbx");
  if (file_ == nullptr) fail("{}: cannot open for writing: {}", path_.string(), std::strerror(errno));
  try {
    write(version_event(wall_time()));
  } catch (...) {
    std::fclose(file_);
    throw;
  }
}

EventLog::~EventLog() { std::fclose(file_); }

void EventLog::add_line(std::string_view text) {
  const nlohmann::json line = parse_json(text);
  const bool trained = line.contains("step");
  const int64_t steps = trained ? line["step"].get<int64_t>() + 1 : line["steps"].get<int64_t>();
  if (restarts_) write(restart_event(wall_time(), trained ? steps : steps + 1));
  restarts_ = false;
  std::vector<EventScalar> scalars;
  for (const auto& [key, value] : line.items()) {
    if (key == "step" || key == "steps" || !value.is_number()) continue;
    const bool valid = key.starts_with("valid_");
    scalars.push_back({valid ? "valid/" + key.substr(6) : "train/" + key, value.get<float>()});
  }
  write(scalars_event(wall_time(), steps, scalars));
}

void EventLog::write(const std::string& event) {
  const std::string record = tfrecord(event);
  const bool written = std::fwrite(record.data(), 1, record.size(), file_) == record.size() && std::fflush(file_) == 0;
  if (!written) fail("{}: write failed: {}", path_.string(), std::strerror(errno));
}

}  // namespace tern
