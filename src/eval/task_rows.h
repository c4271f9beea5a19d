// Rows of data files as objects of fields, whatever the files' format.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

struct TaskRows {
  std::vector<nlohmann::ordered_json> rows;  // objects
  std::vector<size_t> lines;                 // where each begins; of a JSON array its place, from 1 on
  std::string unit = "line";                 // or "item": what `lines` counts
};

// The format is that of the file's name: read_questions() (task_data.h). Error with file and line.
TaskRows read_rows(const std::filesystem::path& path);

// The same of a text, decompressed, of a file of that name (without .gz, .zst). Error with the line.
TaskRows parse_rows(std::string_view name, std::string_view text);

// The lines of a text without their ends; a last empty one is none.
std::vector<std::string_view> text_lines(std::string_view text);

// The file's text, decompressed, without a byte order mark. Error beyond 1 GiB.
std::string read_text(const std::filesystem::path& path);

}  // namespace tern
