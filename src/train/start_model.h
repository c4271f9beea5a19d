// What a run begins with when it continues a model (`from` of the options): the model's configuration, vocabulary, chat
// template and numbers.
#pragma once

#include <optional>
#include <string>

#include "base/threads.h"
#include "model/stored_model.h"
#include "train/options.h"
#include "train/parameters.h"

namespace tern {

// The model at options.from. Error when training lacks a detail of it, when options.model is another one, or when the
// context is longer than the model's. A run may change the kind of weights, and add the norms that ternary models have
// before o and down (sub_norms) to a model without them.
StoredModel open_start_model(const TrainOptions& options);

// The configuration that options.model must have, but for what a run may change: what the model says.
ModelConfig start_config(const std::string& from);

// The model's vocabulary, or, where it has none, that of `tokenizer`, a file. Error when there is none or when there
// are two of them, or when it has more tokens than the model.
Vocabulary start_vocabulary(const StoredModel& stored, const std::string& tokenizer);

// Fills the masters with the model's numbers; norms that it has not become 1.
//
// Linear layers that are stored as trits times a scale, whose masters nobody kept, get masters that pack into the same
// trits and the same scale: the trits times scale / (share of trits that are not 0), whose mean of |w| is the scale.
// (Scales that are no bfloat16 are rounded to one, as training does.)
void load_masters(const StoredModel& stored, WeightKind target, Threads& threads, Parameters& masters);

}  // namespace tern
