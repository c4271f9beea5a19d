#include "train/curves.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "train/options.h"

namespace tern {
namespace {

class Curves : public testing::Test {
 protected:
  Curves() : directory_(std::filesystem::temp_directory_path() / ("tern-curves-" + std::to_string(::getpid()))) {
    make_directories(directory_);
  }
  ~Curves() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path file() const { return directory_ / "metrics.jsonl"; }
  void append(std::string_view text) const { std::ofstream(file(), std::ios::app) << text; }
  void write_plan(int64_t steps) const {
    TrainOptions options;
    options.model.dim = 64;
    options.context = 8;
    options.batch = 2;
    options.schedule.steps = steps;
    write_file(directory_ / "run.json", options_to_json(options));
  }
  // The message of reading the file and asking for points.
  std::string error(const std::string& metric = "loss", CurveAxis axis = CurveAxis::kSteps) const {
    RunCurve curve(file(), metric, axis);
    try {
      curve.read();
      curve.expect_points();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  std::string at(const std::string& rest) const { return file().string() + ": " + rest; }

  std::filesystem::path directory_;
};

constexpr const char* kThree =
    "{\"step\":0,\"loss\":4.5,\"lr\":0.25,\"tokens_per_second\":32}\n"
    "{\"step\":1,\"loss\":4.25,\"lr\":0.5,\"skipped\":true,\"tokens_per_second\":8}\n"
    "{\"steps\":2,\"valid_loss\":4.125,\"valid_tokens\":9}\n";

void expect_points(const std::vector<PlotPoint>& points, const std::vector<PlotPoint>& expected) {
  ASSERT_EQ(points.size(), expected.size());
  for (size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(points[i].x, expected[i].x);
    EXPECT_EQ(points[i].y, expected[i].y);
  }
}

TEST_F(Curves, StepsTokensAndSeconds) {
  append(kThree);
  write_plan(2);
  const std::vector<std::pair<CurveAxis, std::vector<double>>> axes = {
      {CurveAxis::kSteps, {1, 2}}, {CurveAxis::kTokens, {16, 32}}, {CurveAxis::kSeconds, {0.5, 2.5}}};
  for (const auto& [axis, x] : axes) {
    RunCurve curve(directory_, "loss", axis);
    EXPECT_TRUE(curve.read());
    expect_points(curve.training(), {{x[0], 4.5}, {x[1], 4.25}});
    expect_points(curve.validation(), {{x[1], 4.125}});
    EXPECT_TRUE(curve.finished());
    EXPECT_EQ(curve.steps(), 2);
  }
}

TEST_F(Curves, EveryNumberIsAMetric) {
  append(kThree);
  RunCurve rate(file(), "lr", CurveAxis::kSteps);
  rate.read();
  expect_points(rate.training(), {{1, 0.25}, {2, 0.5}});
  EXPECT_TRUE(rate.validation().empty());
  EXPECT_FALSE(rate.finished());  // nothing says how many steps there will be
  RunCurve skipped(file(), "skipped", CurveAxis::kSteps);
  skipped.read();
  expect_points(skipped.training(), {{2, 1}});
  RunCurve validation(file(), "valid_loss", CurveAxis::kSteps);
  validation.read();
  expect_points(validation.validation(), {{2, 4.125}});
  EXPECT_EQ(error("zeros"), at("no number 'zeros' in it; there are loss, lr, tokens, tokens_per_second"));
}

TEST_F(Curves, AnyNumberIsAnAxis) {
  append(std::string(kThree) + "{\"size\":3e5,\"loss\":4}\n{\"size\":1e6}\n{\"size\":1e6,\"valid_loss\":3}\n");
  const CurveAxis size = parse_curve_axis("size");
  EXPECT_EQ(size.label(), "size");
  RunCurve curve(file(), "loss", size);
  curve.read();
  expect_points(curve.training(), {{3e5, 4}});
  expect_points(curve.validation(), {{1e6, 3}});
  EXPECT_EQ(error("loss", parse_curve_axis("width")),
            at("no number 'loss' beside 'width' in it; there are loss, lr, size, tokens, tokens_per_second"));
}

// Cut at every byte: whole lines count, what is left of the last does not.
TEST_F(Curves, ABrokenLastLineIsLeftOut) {
  const std::string text = kThree;
  for (size_t size = 0; size <= text.size(); ++size) {
    write_file(file(), text.substr(0, size));
    RunCurve curve(file(), "loss", CurveAxis::kSteps);
    curve.read();
    size_t whole = 0;
    for (size_t i = 0; i < size; ++i) whole += text[i] == '}' ? 1 : 0;
    EXPECT_EQ(curve.training().size() + curve.validation().size(), whole) << size;
  }
}

TEST_F(Curves, AGrowingFileIsReadOnAndANewOneFromTheBeginning) {
  const std::string text = kThree;
  write_plan(3);
  write_file(file(), "");
  RunCurve curve(file(), "loss", CurveAxis::kSeconds);
  curve.read();
  EXPECT_FALSE(curve.read());
  size_t changes = 0;
  for (char c : text) {
    append(std::string_view(&c, 1));
    if (curve.read()) ++changes;
  }
  EXPECT_EQ(changes, 6u);  // each line, and each line's end
  expect_points(curve.training(), {{0.5, 4.5}, {2.5, 4.25}});
  expect_points(curve.validation(), {{2.5, 4.125}});
  EXPECT_FALSE(curve.finished());
  // As a resumed run does: the file is replaced by the lines that count.
  write_file(file(), text.substr(0, text.find('\n') + 1));
  EXPECT_TRUE(curve.read());
  expect_points(curve.training(), {{0.5, 4.5}});
  EXPECT_TRUE(curve.validation().empty());
  append("{\"step\":1,\"loss\":4,\"tokens_per_second\":16}\nnonsense\n");
  try {
    curve.read();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), at("line 3: expected a JSON object, got 'nonsense'"));
  }
}

TEST_F(Curves, ErrorsNameTheLine) {
  const std::string first = "{\"step\":4,\"loss\":4}\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{\"step\":5,\"loss\":NaN}\n", "line 2: expected a JSON object, got '{\"step\":5,\"loss\":NaN}'"},
      {"{\"step\":5,\"loss\":1e999}\n", "line 2: expected a JSON object, got '{\"step\":5,\"loss\":1e999}'"},
      {"[1]\n", "line 2: expected a JSON object, got '[1]'"},
      {std::string(100000, '[') + "\n", "line 2: expected a JSON object, got '" + std::string(80, '[') + "...'"},
      {"{\"step\":5,\"loss\":null}\n", "line 2: \"loss\" is 'null', expected a finite number"},
      {"{\"step\":5,\"loss\":\"low\"}\n", "line 2: \"loss\" is '\"low\"', expected a finite number"},
      {"{\"steps\":5,\"valid_loss\":[]}\n", "line 2: \"valid_loss\" is '[]', expected a finite number"},
      {"{\"step\":-1,\"loss\":1}\n", "line 2: \"step\" is '-1', expected a whole number from 0 on"},
      {"{\"step\":1.5,\"loss\":1}\n", "line 2: \"step\" is '1.5', expected a whole number from 0 on"},
      {"{\"step\":18446744073709551615}\n",
       "line 2: \"step\" is '18446744073709551615', expected a whole number from 0 on"},
      {"{\"step\":3,\"loss\":1}\n", "line 2: a line of 4 steps comes after one of 5"},
  };
  for (const auto& [line, message] : cases) {
    write_file(file(), first + line);
    EXPECT_EQ(error(), at(message)) << line.substr(0, 100);
  }
  write_file(file(), "");
  EXPECT_EQ(error(), at("expected lines with \"step\" or \"steps\" and numbers, there are none"));
  write_file(file(), "{\"loss\":3}\n\n{\"event\":\"x\"}\n");
  EXPECT_EQ(error(), at("expected lines with \"step\" or \"steps\" and numbers, there are none"));
  write_file(file(), first);
  EXPECT_EQ(error("loss", CurveAxis::kTokens),
            at("expected run.json beside it, which says how many tokens a step has; there is none"));
  write_plan(9);
  EXPECT_EQ(error("loss", CurveAxis::kTokens), "");
  EXPECT_EQ(error("loss", CurveAxis::kSeconds),
            at("line 1: expected \"tokens_per_second\" above 0, which seconds are counted by"));
  std::filesystem::remove(file());
  EXPECT_EQ(error(), at("cannot open for reading: No such file or directory"));
}

}  // namespace
}  // namespace tern
