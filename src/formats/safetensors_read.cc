#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "formats/safetensors.h"
#include "formats/safetensors_types.h"

namespace tern {
namespace {

using nlohmann::json;

constexpr size_t kMaxTensors = 1'000'000;
constexpr size_t kMaxDims = 16;
constexpr std::string_view kMetadataKey = "__metadata__";

DType parse_type(std::string_view name) {
  std::string known;
  for (const SafetensorsType& row : kSafetensorsTypes) {
    if (row.name == name) return row.type;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
  }
  fail("type {} is not supported, expected one of {}", quote(name), known);
}

// One tensor's entry in the header.
struct Entry {
  std::string name;
  std::optional<DType> type;
  std::optional<std::vector<size_t>> shape;
  std::optional<std::vector<size_t>> data_offsets;
};

// Follows the JSON header event by event. The header has a fixed form, {name: {"dtype", "shape", "data_offsets"}} and
// {"__metadata__": {text: text}}; anything else is refused where it begins, so nothing can nest deeper than that.
class HeaderParser : public nlohmann::json_sax<json> {
 public:
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

  bool start_object(size_t) override {
    if (in_array_ || depth_ == 2) refuse("an object");
    ++depth_;
    return true;
  }

  bool end_object() override {
    --depth_;
    if (depth_ == 1 && !in_metadata_) finish_entry();
    return true;
  }

  bool key(string_t& text) override {
    if (depth_ == 1) {
      begin_entry(text);
    } else if (in_metadata_) {
      if (!metadata.emplace(text, "").second) fail("'__metadata__' key {} appears twice", quote(text));
    } else if (text != "dtype" && text != "shape" && text != "data_offsets") {
      fail("tensor {}: expected only dtype, shape and data_offsets, got {}", quote(name()), quote(text));
    }
    field_ = text;
    return true;
  }

  bool string(string_t& text) override {
    if (depth_ == 2 && in_metadata_) {
      metadata[field_] = text;
      return true;
    }
    if (depth_ != 2 || in_array_ || field_ != "dtype") refuse("a string");
    if (entries.back().type) refuse("dtype twice");
    entries.back().type = with_context("tensor " + quote(name()), [&] { return parse_type(text); });
    return true;
  }

  bool start_array(size_t) override {
    const bool expected = depth_ == 2 && !in_metadata_ && !in_array_ && field_ != "dtype";
    if (!expected) refuse("an array");
    std::optional<std::vector<size_t>>& list = field_ == "shape" ? entries.back().shape : entries.back().data_offsets;
    if (list) fail("tensor {}: {} appears twice", quote(name()), field_);
    list.emplace();
    in_array_ = true;
    return true;
  }

  bool end_array() override {
    in_array_ = false;
    return true;
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (!in_array_) refuse("a number");
    std::vector<size_t>& list = field_ == "shape" ? *entries.back().shape : *entries.back().data_offsets;
    const size_t max_size = field_ == "shape" ? kMaxDims : 2;
    if (list.size() == max_size) fail("tensor {}: {} has more than {} numbers", quote(name()), field_, max_size);
    list.push_back(value);
    return true;
  }

  bool number_integer(number_integer_t) override { refuse("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { refuse("a fraction or a number beyond 64 bits"); }
  bool null() override { refuse("null"); }
  bool boolean(bool) override { refuse("a boolean"); }
  bool binary(binary_t&) override { refuse("binary data"); }
  bool parse_error(size_t position, const std::string&, const json::exception&) override {
    fail("the header is not valid JSON near byte {}", position);
  }

 private:
  const std::string& name() const { return name_; }

  [[noreturn]] void refuse(std::string_view what) const {
    if (depth_ == 0) fail("the header: expected an object, got {}", what);
    fail("header entry {}: did not expect {} {}", quote(name_), what,
         depth_ == 1 ? "in place of an object" : fmt::format("in {}", quote(field_)));
  }

  void begin_entry(const std::string& text) {
    if (!seen_.insert(text).second) fail("header key {} appears twice", quote(text));
    if (seen_.size() > kMaxTensors) fail("more than {} tensors", kMaxTensors);
    name_ = text;
    in_metadata_ = text == kMetadataKey;
    if (!in_metadata_) entries.push_back({text, {}, {}, {}});
  }

  void finish_entry() {
    const Entry& entry = entries.back();
    if (!entry.type || !entry.shape || !entry.data_offsets || entry.data_offsets->size() != 2) {
      fail("tensor {}: expected dtype, shape and two data_offsets", quote(entry.name));
    }
  }

  size_t depth_ = 0;
  bool in_array_ = false;
  bool in_metadata_ = false;
  std::string name_;   // of the tensor, or "__metadata__"
  std::string field_;  // inside it
  std::set<std::string> seen_;
};

// [begin, end) of a finished entry.
std::pair<size_t, size_t> data_range(const Entry& entry) {
  return {entry.data_offsets->at(0), entry.data_offsets->at(1)};
}

// The bytes of one tensor, which must begin where the one before ended.
NamedTensor place_tensor(Entry entry, Bytes data, size_t previous_end) {
  const auto [begin, end] = data_range(entry);
  if (begin > end) fail("data_offsets [{}, {}] end before they begin", begin, end);
  if (begin != previous_end) {
    fail("data_offsets [{}, {}]: expected to begin at {}, where the tensor before ends", begin, end, previous_end);
  }
  if (end > data.size()) {
    fail("data_offsets [{}, {}]: only {} bytes of data; is the file truncated?", begin, end, data.size());
  }
  size_t elements = 1;
  for (const size_t extent : *entry.shape) elements = checked_mul(elements, extent, "number of elements");
  const size_t size = dtype_bytes(*entry.type, elements);
  if (end - begin != size) fail("expected {} bytes for its shape, data_offsets give {}", size, end - begin);
  return {std::move(entry.name), *entry.type, std::move(*entry.shape), data.subspan(begin, size)};
}

HeaderParser parse_header(std::string_view header) {
  if (!header.starts_with('{')) fail("expected the header to begin with '{{', got {}", quote(header.substr(0, 1)));
  // The JSON library takes a zero byte for the end of its input and would ignore what follows it.
  if (header.find('\0') != std::string_view::npos) fail("the header holds a zero byte");
  HeaderParser parser;
  json::sax_parse(header, &parser);
  return parser;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path)
    : map_(path), bytes_(map_->bytes()), name_(path.string()) {
  parse();
}

SafetensorsFile::SafetensorsFile(Bytes bytes, std::string name) : bytes_(bytes), name_(std::move(name)) { parse(); }

void SafetensorsFile::parse() {
  with_context(name_, [&] {
    ByteReader reader(bytes_);
    const auto header_size = reader.read<uint64_t>("header length");
    if (header_size > kSafetensorsMaxHeader || header_size > reader.remaining()) {
      fail("header length {}: expected at most {} and at most the {} bytes left; is it a safetensors file?",
           header_size, kSafetensorsMaxHeader, reader.remaining());
    }
    HeaderParser header = parse_header(reader.take_text(header_size, "header"));
    metadata_ = std::move(header.metadata);
    std::vector<Entry>& entries = header.entries;
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return data_range(a) < data_range(b); });
    const Bytes data = reader.take(reader.remaining(), "tensor data");
    size_t end = 0;
    for (Entry& entry : entries) {
      const std::string context = "tensor " + quote(entry.name);
      tensors_.push_back(with_context(context, [&] { return place_tensor(std::move(entry), data, end); }));
      end += tensors_.back().data.size();
      index_.emplace(tensors_.back().name, tensors_.size() - 1);
    }
    if (end != data.size()) fail("expected {} bytes of data, as the header says, got {}", end, data.size());
  });
}

const NamedTensor* SafetensorsFile::find(std::string_view tensor_name) const {
  const auto found = index_.find(tensor_name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace tern
