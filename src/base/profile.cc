#include "base/profile.h"

#include <algorithm>
#include <string_view>

namespace tern {

void Profile::add(const char* part, double seconds, double multiply_adds) {
  const auto same = [&](const ProfileEntry& entry) { return std::string_view(entry.part) == part; };
  auto entry = std::find_if(entries_.begin(), entries_.end(), same);
  if (entry == entries_.end()) entry = entries_.insert(entry, ProfileEntry{part});
  entry->seconds += seconds;
  entry->multiply_adds += multiply_adds;
  ++entry->calls;
}

std::vector<ProfileEntry> Profile::entries() const {
  std::vector<ProfileEntry> sorted = entries_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const ProfileEntry& a, const ProfileEntry& b) { return a.seconds > b.seconds; });
  return sorted;
}

}  // namespace tern
