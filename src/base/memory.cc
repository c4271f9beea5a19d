#include "base/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

namespace tern {
namespace {

std::optional<size_t> parse_number(std::string_view text) {
  text.remove_prefix(std::min(text.size(), text.find_first_of("0123456789")));
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

// The number a file begins with; nothing for a missing file and for "max".
std::optional<size_t> number_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return parse_number(line);
}

// Pages of files count as used, but the system gives them up first.
size_t inactive_file_bytes(const std::filesystem::path& group) {
  std::ifstream file(group / "memory.stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("inactive_file ")) return parse_number(line).value_or(0);
  }
  return 0;
}

// Whether "memory" is one of the names between commas.
bool names_memory(std::string_view controllers) {
  while (!controllers.empty()) {
    const size_t comma = std::min(controllers.size(), controllers.find(','));
    if (controllers.substr(0, comma) == "memory") return true;
    controllers.remove_prefix(std::min(controllers.size(), comma + 1));
  }
  return false;
}

// The path of this process in the hierarchy with the memory controller: "0::/path", or "9:memory:/path".
std::string own_group(bool version_two) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    const bool wanted = version_two ? controllers.empty() : names_memory(controllers);
    if (wanted) return line.substr(second + 1);
  }
  return "/";
}

}  // namespace

size_t proc_bytes(const std::filesystem::path& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return parse_number(std::string_view(line).substr(key.size())).value_or(0) * 1024;
  }
  return 0;
}

size_t control_group_bytes(const std::filesystem::path& mount, const std::filesystem::path& group,
                           std::string_view limit_file, std::string_view usage_file) {
  size_t least = SIZE_MAX;
  // A container may show the path of its group on the host: only the mounted root of it exists then.
  for (std::filesystem::path at = group.relative_path();; at = at.parent_path()) {
    const std::filesystem::path folder = mount / at;
    const std::optional<size_t> limit = number_in(folder / limit_file);
    if (limit) {
      const size_t used = number_in(folder / usage_file).value_or(0);
      const size_t held = used - std::min(used, inactive_file_bytes(folder));
      least = std::min(least, *limit - std::min(*limit, held));
    }
    if (at.empty()) return least;
  }
}

size_t available_memory_bytes() {
  size_t least = proc_bytes("/proc/meminfo", "MemAvailable:");
  if (least == 0) least = SIZE_MAX;
  const std::filesystem::path mount = "/sys/fs/cgroup";
  least = std::min(least, control_group_bytes(mount, own_group(true), "memory.max", "memory.current"));
  return std::min(
      least, control_group_bytes(mount / "memory", own_group(false), "memory.limit_in_bytes", "memory.usage_in_bytes"));
}

// Nobody writes into a MappedFile's pages, so none is lost.
void release_pages(Bytes mapped) {
  if (!mapped.empty()) ::madvise(const_cast<std::byte*>(mapped.data()), mapped.size(), MADV_DONTNEED);
}

void read_in_order(Bytes bytes) {
  constexpr size_t kLine = 64;
  const volatile std::byte* data = bytes.data();
  for (size_t i = 0; i < bytes.size(); i += kLine) static_cast<void>(data[i]);
}

size_t peak_memory_bytes() { return proc_bytes("/proc/self/status", "VmHWM:"); }

bool restart_peak_memory() {
  std::ofstream file("/proc/self/clear_refs");
  file << '5';  // proc(5): the high water mark is what is resident now
  return static_cast<bool>(file.flush());
}

}  // namespace tern
