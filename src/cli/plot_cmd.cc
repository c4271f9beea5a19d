#include <unistd.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/plot.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/terminal.h"
#include "train/curves.h"
#include "train/trainer.h"

namespace tern {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(500);
constexpr double kPlainInterval_s = 10;  // between two lines of --follow where there is no terminal

struct PlotArguments {
  std::vector<std::string> runs;
  std::string metric = "loss";
  std::string x = "step";
  std::string title;
  std::string svg;
  size_t smooth = 1;
  size_t width = 0, height = 0;  // 0: by what is drawn on
  bool log_x = false, log_y = false;
  bool follow = false;
  bool json = false;
  int threads = 0;
};

struct PlottedRun {
  std::string label;
  RunCurve curve;
};

// "label=path", unless there is a file or directory of that whole name.
std::vector<PlottedRun> open_runs(const PlotArguments& args) {
  const CurveAxis axis = parse_curve_axis(args.x);
  std::vector<PlottedRun> runs;
  for (const std::string& given : args.runs) {
    const size_t equals = given.find('=');
    const bool labelled = equals != std::string::npos && equals > 0 && !std::filesystem::exists(given);
    const std::string path = labelled ? given.substr(equals + 1) : given;
    if (path.empty()) fail("RUN: expected a training directory or a metrics.jsonl, got {}", quote(given));
    RunCurve curve(path, args.metric, axis);
    std::string label = labelled ? given.substr(0, equals) : path;
    if (!labelled) {
      const std::filesystem::path directory = std::filesystem::absolute(curve.file()).lexically_normal().parent_path();
      label = curve.file().filename() == kMetricsFile ? directory.filename().string() : curve.file().stem().string();
    }
    const bool taken = std::any_of(runs.begin(), runs.end(), [&](const PlottedRun& run) { return run.label == label; });
    runs.push_back({taken ? path : label, std::move(curve)});
  }
  return runs;
}

std::string state_of(const PlottedRun& run, const PlotCurve& curve) {
  std::string state = run.label + ":";
  if (!curve.line.empty()) state += fmt::format(" {:.5g}", curve.line.back().y);
  if (run.curve.steps() > 0) state += fmt::format(" after {} steps", run.curve.steps());
  if (!curve.marks.empty()) state += fmt::format(", validation {:.5g}", curve.marks.back().y);
  return state;
}

Plot make_plot(const PlotArguments& args, const std::vector<PlottedRun>& runs) {
  Plot plot;
  plot.title = args.title;
  plot.x_label = parse_curve_axis(args.x).label();
  plot.y_label = args.metric == "loss" ? "loss (nats a token)" : args.metric;
  if (args.smooth > 1) plot.y_label += fmt::format(", mean of {}", args.smooth);
  plot.log_x = args.log_x;
  plot.log_y = args.log_y;
  for (const PlottedRun& run : runs) {
    if (run.curve.empty()) continue;  // followed, and not begun yet
    PlotCurve curve{"", smooth(run.curve.training(), args.smooth), run.curve.validation()};
    curve.label = state_of(run, curve);
    plot.curves.push_back(std::move(curve));
  }
  return plot;
}

nlohmann::json points_json(const std::vector<PlotPoint>& points) {
  nlohmann::json list = nlohmann::json::array();
  for (const PlotPoint& p : points) list.push_back({p.x, p.y});
  return list;
}

void print_json(const PlotArguments& args, const std::vector<PlottedRun>& runs) {
  nlohmann::ordered_json json = {{"metric", args.metric}, {"x", args.x}, {"smooth", args.smooth}};
  json["runs"] = nlohmann::json::array();
  for (const PlottedRun& run : runs) {
    json["runs"].push_back({{"label", run.label},
                            {"file", run.curve.file().string()},
                            {"steps", run.curve.steps()},
                            {"finished", run.curve.finished()},
                            {"training", points_json(smooth(run.curve.training(), args.smooth))},
                            {"validation", points_json(run.curve.validation())}});
  }
  std::fputs((json_text(json) + "\n").c_str(), stdout);
}

// A picture that takes the place of the last one, or a line now and then where there is no terminal.
class LiveView {
 public:
  explicit LiveView(const PlotArguments& args) : args_(args), terminal_(is_terminal(STDOUT_FILENO)) {}

  // `changed`: since the last call. `last`: there will be no other call.
  void show(const std::vector<PlottedRun>& runs, bool changed, bool last) {
    const Plot plot = make_plot(args_, runs);
    if (terminal_) {
      const TerminalSize size = terminal_size();
      if (!changed && size.columns == size_.columns && size.rows == size_.rows && drawn_ > 0) return;
      size_ = size;
      draw(plot, size);
    } else if ((changed || last) && (last || now_s() - shown_s_ >= kPlainInterval_s)) {
      std::string line;
      for (const PlotCurve& curve : plot.curves) line += (line.empty() ? "" : "   ") + curve.label;
      if (line == line_) return;
      std::fputs((line + "\n").c_str(), stdout);
      line_ = line;
      shown_s_ = now_s();
    }
    std::fflush(stdout);
  }

 private:
  // Over the last picture, line by line, in one write, so that nothing is blank in between; without automatic wrapping,
  // because a wrapped line would be one more than counted.
  void draw(const Plot& plot, const TerminalSize& size) {
    std::vector<std::string> lines = {"waiting for the first step"};
    if (!plot.curves.empty()) lines = draw_terminal(plot, terminal_style(args_.width, args_.height));
    if (lines.size() >= size.rows) lines.resize(std::max<size_t>(size.rows, 2) - 1);
    std::string text = "\x1b[?7l";
    if (drawn_ > 0) text += fmt::format("\x1b[{}A", drawn_);
    for (const std::string& line : lines) text += line + "\x1b[K\n";
    text += "\x1b[J\x1b[?7h";
    std::fputs(text.c_str(), stdout);
    drawn_ = lines.size();
  }

  const PlotArguments& args_;
  bool terminal_;
  TerminalSize size_;
  size_t drawn_ = 0;  // lines
  double shown_s_ = 0;
  std::string line_;
};

// Until every run has ended or somebody wants it to end.
void follow(const PlotArguments& args, std::vector<PlottedRun>& runs) {
  const std::atomic<bool>& stop = catch_interrupts();
  LiveView view(args);
  bool ended = false;
  while (!ended) {
    ended = true;
    bool changed = false;
    for (PlottedRun& run : runs) {
      if (std::filesystem::exists(run.curve.file()) && run.curve.read()) changed = true;
      ended = ended && run.curve.finished();
    }
    ended = ended || stop.load();
    view.show(runs, changed, ended);
    if (!ended) std::this_thread::sleep_for(kPollInterval);
  }
}

void check(const PlotArguments& args) {
  if (args.smooth == 0) fail("--smooth is 0, expected 1 or more");
  const size_t least_width = args.svg.empty() ? kLeastColumns : 200;
  const size_t least_height = args.svg.empty() ? 8 : 150;
  constexpr size_t kMost = 10000;
  if (args.width != 0 && (args.width < least_width || args.width > kMost)) {
    fail("--width is {}, expected {} to {}", args.width, least_width, kMost);
  }
  if (args.height != 0 && (args.height < least_height || args.height > kMost)) {
    fail("--height is {}, expected {} to {}", args.height, least_height, kMost);
  }
}

void plot(const PlotArguments& args) {
  check(args);
  std::vector<PlottedRun> runs = open_runs(args);
  if (args.follow) {
    follow(args, runs);
    return;
  }
  for (PlottedRun& run : runs) {
    run.curve.read();
    run.curve.expect_points();
  }
  if (args.json) {
    print_json(args, runs);
  } else if (!args.svg.empty()) {
    write_file(args.svg,
               draw_svg(make_plot(args, runs), args.width > 0 ? args.width : 760, args.height > 0 ? args.height : 440));
  } else {
    for (const std::string& line : draw_terminal(make_plot(args, runs), terminal_style(args.width, args.height))) {
      std::fputs((line + "\n").c_str(), stdout);
    }
  }
}

}  // namespace

void add_plot_command(CLI::App& app) {
  auto args = std::make_shared<PlotArguments>();
  CLI::App& command = *app.add_subcommand("plot", "Draw the curves of training runs");
  command.add_option("RUN", args->runs, "Training directories or metrics.jsonl files, also as label=path")->required();
  command.add_option("--metric", args->metric, "The number to draw; metrics.jsonl has lr, grad_norm and others")
      ->capture_default_str();
  command.add_option("--x", args->x, "What it is drawn over: step, tokens, seconds, or a number beside it")
      ->capture_default_str();
  command.add_flag("--log-x", args->log_x, "Logarithmic x axis");
  command.add_flag("--log-y", args->log_y, "Logarithmic y axis");
  command
      .add_option("--smooth", args->smooth, "Draw the mean of so many training steps, the last one and those before")
      ->capture_default_str();
  command.add_option("--title", args->title, "Above the picture");
  CLI::Option* svg = command.add_option("--svg", args->svg, "Write this SVG file instead of drawing on the terminal");
  command.add_option("--width", args->width, "Columns (default: the terminal's), of --svg pixels (default 760)");
  command.add_option("--height", args->height, "Lines (default: the terminal's), of --svg pixels (default 440)");
  CLI::Option* follow = command.add_flag("--follow", args->follow, "Draw anew until the runs end, or Ctrl-C");
  CLI::Option* json =
      command.add_flag("--json", args->json, "Print the points as one JSON object instead of a picture");
  follow->excludes(svg)->excludes(json);
  svg->excludes(json);
  add_one_thread_option(command, args->threads);
  command.callback([args] { plot(*args); });
}

}  // namespace tern
