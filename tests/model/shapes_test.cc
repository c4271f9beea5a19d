#include "model/shapes.h"

#include <gtest/gtest.h>

#include <map>

#include "support/errors.h"

namespace tern {
namespace {

TEST(Shapes, ParametersAreNearTheName) {
  // Billions; the names round, and count the embedding or not.
  const std::map<std::string_view, double> billions = {{"125m", 0.125}, {"350m", 0.35}, {"700m", 0.7}, {"1b", 1},
                                                       {"1.3b", 1.3},   {"1.5b", 1.5},  {"2b4t", 2.4}, {"2.5b", 2.7},
                                                       {"3b", 3.3},     {"3.8b", 3.8},  {"3.9b", 4.3}, {"7b", 7},
                                                       {"13b", 13},     {"30b", 30},    {"70b", 70},   {"100b", 100}};
  size_t found = 0;
  for (const NamedShape& shape : named_shapes()) {
    validate(shape.config);
    EXPECT_EQ(&find_shape(shape.name), &shape.config);
    if (shape.name == "tiny") continue;
    const double expected = billions.at(shape.name);
    EXPECT_NEAR(static_cast<double>(parameter_count(shape.config)) * 1e-9, expected, 0.05 * expected) << shape.name;
    ++found;
  }
  EXPECT_EQ(found, billions.size());
}

TEST(Shapes, AgreeWithPublishedCounts) {
  // arXiv 2504.12285 and the configurations of the reproduced models.
  EXPECT_EQ(linear_parameter_count(find_shape("2b4t")), 30u * (2 * 2560 * 2560 + 2 * 2560 * 640 + 3 * 2560 * 6912));
  EXPECT_NEAR(static_cast<double>(linear_parameter_count(find_shape("700m"))), 679.5e6, 1e5);
  EXPECT_NEAR(static_cast<double>(linear_parameter_count(find_shape("1.3b"))), 1.208e9, 1e6);
  EXPECT_NEAR(static_cast<double>(linear_parameter_count(find_shape("3b"))), 3.222e9, 1e6);
  EXPECT_NEAR(static_cast<double>(linear_parameter_count(find_shape("3.9b"))), 4.260e9, 1e6);
}

TEST(Shapes, UnknownNameListsTheKnownOnes) {
  const std::string message = test::error_of([] { find_shape("8b"); });
  EXPECT_EQ(message,
            "unknown shape '8b', expected tiny, 125m, 350m, 700m, 1b, 1.3b, 1.5b, 2b4t, 2.5b, 3b, 3.8b, 3.9b, 7b, 13b, "
            "30b, 70b, 100b");
}

}  // namespace
}  // namespace tern
