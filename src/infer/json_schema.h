// JSON Schema (2020-12, json-schema.org) to a grammar of the JSON texts that it lets pass.
//
// Understood: type, also a list; properties, required, additionalProperties; items, minItems, maxItems; minLength,
// maxLength, format (date, time, date-time, uuid); minimum, maximum and their exclusive forms of integers; enum, const;
// anyOf; oneOf whose alternatives exclude each other; allOf of one; $ref within the schema. Annotations (title,
// description, default, examples, ...) mean nothing. Any other keyword is an Error that names it: a constraint is
// never left out. The grammar may be narrower than the schema, never wider:
// - objects have the properties in the schema's order, then others, which they only have when additionalProperties says
//   so or the schema names no properties at all;
// - integers have at most 15 digits, numbers exponents of two, years four, and February 28 days.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tern {

// GBNF for compile_grammar(). Error for a text that is no JSON or nests too deep, and for schemas beyond the above.
std::string grammar_of_schema(std::string_view schema);

// Values of several schemas in one grammar of the caller's own.
class SchemaGrammar {
 public:
  // An expression for the values that `schema` lets pass. Error as above.
  std::string add(std::string_view schema);
  // The rules that these expressions use. A name of the caller's clashes with none of them if it begins "tool-call".
  std::string rules() const;

 private:
  std::string rules_;
  size_t count_ = 0;  // of names made
};

// The schema of any JSON object.
inline constexpr std::string_view kAnyObjectSchema = R"({"type":"object"})";

}  // namespace tern
