// What memory the system still has and what this process has taken, in bytes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "base/bytes.h"

namespace tern {

// What may be allocated without pushing anything out: MemAvailable, or less where a control group (version 2 or 1) of
// this process is limited to less. SIZE_MAX where the system does not say.
size_t available_memory_bytes();

// The largest resident size this process has had (VmHWM); 0 where the system does not say.
size_t peak_memory_bytes();
// Lets peak_memory_bytes() begin anew with what is resident now; false where the system cannot.
bool restart_peak_memory();

// Lets go of pages of a MappedFile, from the beginning of one of them on: they count as this process' memory no longer,
// and come back from the file, or the system's cache of it, where they are read again.
void release_pages(Bytes mapped);

// Reads one byte of every cache line, in order, as fast as memory gives them; afterwards a part that fits is in the
// second-level cache, for somebody who reads it in an order that the processor does not foresee.
void read_in_order(Bytes bytes);

// The number behind `key` in the lines of a file of /proc ("MemAvailable:   123 kB"), in bytes; 0 without such a line.
size_t proc_bytes(const std::filesystem::path& path, std::string_view key);

// What the limits of a control group and of the groups around it leave. `mount` is where the hierarchy is mounted,
// `group` the path inside it ("/user.slice/x"); a file that is missing limits nothing.
size_t control_group_bytes(const std::filesystem::path& mount, const std::filesystem::path& group,
                           std::string_view limit_file, std::string_view usage_file);

}  // namespace tern
