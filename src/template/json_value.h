// JSON as template values: what a request, or a test, brings.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "template/value.h"

namespace tern::jinja {

// Objects keep the order of the text. Error for integers beyond 64 bits and for more levels than the heap's limit.
Value from_json(const nlohmann::ordered_json& json, Heap& heap);

}  // namespace tern::jinja
