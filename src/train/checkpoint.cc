#include "train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "formats/safetensors.h"
#include "model/checkpoint_check.h"
#include "model/load.h"
#include "model/stored_model.h"

namespace tern {
namespace {

constexpr const char* kStepKey = "step";
constexpr const char* kUpdatesKey = "updates";  // of the optimizer; skipped steps make none
constexpr const char* kWatchKey = "watch";

constexpr size_t kRequestedNumbers = size_t{1} << 20;  // numbers that go over at once
constexpr uint64_t kDone = UINT64_MAX;

// Numbers of a tensor, and where they begin in it.
struct Piece {
  size_t begin = 0;
  std::span<float> values;
};

// A tensor of the file, and what this process holds of it.
struct Entry {
  std::string name;
  size_t tensor = 0;  // index in specs()
  std::optional<Piece> mine;
};

std::vector<Entry> make_entries(TrainState& state) {
  Parameters& masters = state.masters();
  std::map<std::string, Piece> pieces;
  for (const TensorPiece& piece : pieces_of(masters.specs(), state.shards()[state.processes().rank()])) {
    const std::string name = master_name(masters.specs()[piece.tensor]);
    pieces[name] = {piece.begin, {masters.mat(piece.tensor).data + piece.begin, piece.size()}};
  }
  for (const OptimizerTensor& tensor : state.optimizer().tensors()) pieces[tensor.name] = {tensor.begin, tensor.values};
  std::vector<std::pair<std::string, size_t>> names;
  for (size_t i = 0; i < masters.specs().size(); ++i) names.emplace_back(master_name(masters.specs()[i]), i);
  for (auto& name : state.optimizer().all_names()) names.push_back(std::move(name));
  std::vector<Entry> entries;
  for (auto& [name, tensor] : names) {
    const auto piece = pieces.find(name);
    entries.push_back({name, tensor, piece == pieces.end() ? std::nullopt : std::optional(piece->second)});
  }
  return entries;
}

// What the first process asks the one for that holds it: numbers [begin, end) of a tensor; kDone: nothing more.
struct Request {
  uint64_t entry = kDone;
  uint64_t begin = 0;
  uint64_t end = 0;
};

template <class T>
void send(size_t to, std::span<const T> values, Communicator& processes) {
  const OutgoingMessage message{to, std::as_bytes(values)};
  processes.exchange(std::span(&message, 1), {});
}

template <class T>
void receive(size_t from, std::span<T> values, Communicator& processes) {
  const IncomingMessage message{from, std::as_writable_bytes(values)};
  processes.exchange({}, std::span(&message, 1));
}

// Answers the first process's requests until it has no more.
void serve(const std::vector<Entry>& entries, Communicator& processes) {
  while (true) {
    Request request;
    receive(0, std::span(&request, 1), processes);
    if (request.entry == kDone) return;
    const Piece& piece = *entries[request.entry].mine;
    send<float>(0, piece.values.subspan(request.begin - piece.begin, request.end - request.begin), processes);
  }
}

// The first process's way to all numbers of an entry, in order.
void produce_entry(const std::vector<Entry>& entries, size_t index, const TrainState& state, const ByteSink& sink) {
  const Entry& entry = entries[index];
  Communicator& processes = state.processes();
  for (size_t r = 0; r < processes.world(); ++r) {
    for (const TensorPiece& piece : pieces_of(state.masters().specs(), state.shards()[r])) {
      if (piece.tensor != entry.tensor) continue;
      if (r == 0) {
        sink(std::as_bytes(entry.mine->values));
        continue;
      }
      std::vector<float> values;
      for (size_t begin = piece.begin; begin < piece.end; begin += kRequestedNumbers) {
        const Request request{index, begin, std::min(begin + kRequestedNumbers, piece.end)};
        values.resize(request.end - request.begin);
        send<Request>(r, std::span(&request, 1), processes);
        receive(r, std::span(values), processes);
        sink(std::as_bytes(std::span(values)));
      }
    }
  }
}

// The number of a metadata entry; `absent` where there is none, or Error where that is not given.
int64_t metadata_number(const SafetensorsFile& file, const char* key, std::optional<int64_t> absent) {
  const auto entry = file.metadata().find(key);
  if (entry == file.metadata().end()) {
    if (absent) return *absent;
    fail("{}: expected the metadata entry '{}', there is none", file.name(), key);
  }
  int64_t number = -1;
  const std::string& text = entry->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    fail("{}: the metadata entry '{}' is {}, expected a number", file.name(), key, quote(text));
  }
  return number;
}

}  // namespace

void save_checkpoint(const std::filesystem::path& directory, const RunProgress& progress, const TrainState& state) {
  Communicator& processes = state.processes();
  const std::vector<Entry> entries = make_entries(const_cast<TrainState&>(state));
  if (!processes.is_first()) return serve(entries, processes);
  std::vector<OutputTensor> tensors;
  for (size_t i = 0; i < entries.size(); ++i) {
    const TensorSpec& spec = state.masters().specs()[entries[i].tensor];
    tensors.push_back({entries[i].name, DType::kF32, spec.shape(),
                       [&entries, i, &state](const ByteSink& sink) { produce_entry(entries, i, state, sink); }});
  }
  std::map<std::string, std::string> metadata = {{kCheckpointConfigKey, config_to_json(state.model().config)},
                                                 {kStepKey, std::to_string(progress.step)},
                                                 {kUpdatesKey, std::to_string(state.optimizer().updates())},
                                                 {kWatchKey, progress.watch.to_text()}};
  if (state.model().quantized_share > 0) {
    metadata[kQuantizedShareKey] = fmt::format("{}", state.model().quantized_share);
  }
  metadata[kChecksumKey] = checkpoint_checksum(tensors, metadata);
  write_safetensors(directory / kCheckpointFile, tensors, metadata);
  const Request done;
  for (size_t r = 1; r < processes.world(); ++r) send<Request>(r, std::span(&done, 1), processes);
}

RunProgress load_checkpoint(const std::filesystem::path& directory, Threads& threads, TrainState& state) {
  const SafetensorsFile file(directory / kCheckpointFile);
  const ModelConfig config = checked_config(file);
  RunProgress progress;
  progress.step = metadata_number(file, kStepKey, std::nullopt);
  state.set_steps(progress.step);
  if (config != state.model().config)
    fail("{}: the checkpoint is of another model than {} describes", file.name(), kRunConfigFile);
  state.processes().agree(
      "the checkpoint", as_bytes(file.metadata().at(kChecksumKey)),
      "expected one training directory that all processes see, with a checkpoint that nobody changes meanwhile");
  for (const Entry& entry : make_entries(state)) {
    const NamedTensor* tensor = file.find(entry.name);
    if (tensor == nullptr) fail("{}: expected a tensor '{}', there is none", file.name(), entry.name);
    const size_t elements = state.masters().specs()[entry.tensor].elements();
    if (tensor->type != DType::kF32 || tensor->elements() != elements) {
      fail("{}: tensor '{}': expected {} f32 numbers, it has {} of {}", file.name(), entry.name, elements,
           tensor->elements(), dtype_info(tensor->type).name);
    }
    if (!entry.mine) continue;
    const std::span<float> values = entry.mine->values;
    std::memcpy(values.data(), tensor->data.data() + entry.mine->begin * sizeof(float), values.size_bytes());
  }
  // Checkpoints from before updates could be skipped have made one a step and watched nothing.
  state.optimizer().set_updates(metadata_number(file, kUpdatesKey, progress.step));
  const auto watch = file.metadata().find(kWatchKey);
  if (watch != file.metadata().end()) progress.watch = LossWatch::from_text(watch->second, file.name());
  state.repack(threads);
  return progress;
}

}  // namespace tern
