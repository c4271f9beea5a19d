#include "server/metrics.h"

#include <gtest/gtest.h>

#include <set>

namespace tern {
namespace {

TEST(Histogram, CountsCumulatively) {
  Histogram histogram({1, 2});
  for (const double value : {0.5, 1.0, 1.5, 9.0}) histogram.add(value);
  std::string text;
  histogram.write("x", "l=\"1\"", text);
  EXPECT_EQ(text,
            "# TYPE x histogram\nx_bucket{l=\"1\",le=\"1\"} 2\nx_bucket{l=\"1\",le=\"2\"} 3\n"
            "x_bucket{l=\"1\",le=\"+Inf\"} 4\nx_sum{l=\"1\"} 12\nx_count{l=\"1\"} 4\n");
}

TEST(Metrics, NamesAreEscapedAndTypedOnce) {
  Metrics metrics;
  metrics.finished["stop"] = 3;
  const std::string text = metrics.text({}, 2, "a\"b\\");
  EXPECT_NE(text.find("tern_requests_waiting{model_name=\"a\\\"b\\\\\"} 2\n"), std::string::npos);
  EXPECT_NE(text.find("vllm:request_success_total{model_name=\"a\\\"b\\\\\",finished_reason=\"stop\"} 3\n"),
            std::string::npos);
  std::set<std::string> types;
  for (size_t at = text.find("# TYPE "); at != std::string::npos; at = text.find("# TYPE ", at + 1)) {
    EXPECT_TRUE(types.insert(text.substr(at, text.find('\n', at) - at)).second) << text.substr(at, 60);
  }
}

}  // namespace
}  // namespace tern
