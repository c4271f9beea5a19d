#include "report/render.h"

#include <gtest/gtest.h>

#include "report/measurements.h"
#include "support/errors.h"

namespace tern {
namespace {

constexpr const char* kNasty = "<script>alert('x')</script>&\"|*_`[a](http://b)";

Document small_document() {
  Document d;
  d.title = "A report";
  d.started = "2026-01-31T12:00:00Z";
  d.facts = {{"processor", "X"}};
  Table table;
  table.title = "Numbers";
  table.columns = {"model", "here", "there"};
  table.rows = {{text_cell("a"), number_cell(1.5, "1.50", Origin::kMeasured), number_cell(2, "2", Origin::kPublished)},
                {text_cell("b"), number_cell(3, "3.00", Origin::kScaled, "from 2 layers"), missing_cell("too large")},
                {text_cell("c"), number_cell(4, "4.00", Origin::kModelled), missing_cell("too large")}};
  table.notes = {"a source"};
  Plot plot;
  plot.title = "A plot";
  plot.x_label = "x";
  plot.y_label = "y";
  plot.curves = {{"one", {}, {{1, 2}, {2, 3}}}};
  d.sections = {{"Part", {"Words."}, {table}, {plot}}};
  return d;
}

TEST(Render, MarksWhereNumbersComeFrom) {
  const std::string markdown = render_markdown(small_document());
  EXPECT_NE(markdown.find("| a | **1.50** | 2 |"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find("| b | ***3.00*** (1) | – (2) |"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find("| c | *4.00* | – (2) |"), std::string::npos) << markdown;
  EXPECT_NE(markdown.find("- Numbers (b, c): too large"), std::string::npos) << markdown;
  const std::string html = render_html(small_document());
  EXPECT_NE(html.find("<td class=\"measured\" title=\"measured\">1.50</td>"), std::string::npos) << html;
  EXPECT_NE(html.find("<td class=\"scaled\" title=\"scaled\">3.00 <sup>1</sup></td>"), std::string::npos);
  EXPECT_NE(html.find("<li>Numbers (b, c): too large</li>"), std::string::npos);
  EXPECT_EQ(html.find("interrupted"), std::string::npos);
  Document cut = small_document();
  cut.is_complete = false;
  EXPECT_NE(render_html(cut).find("interrupted"), std::string::npos);
  EXPECT_NE(render_markdown(cut).find("interrupted"), std::string::npos);
}

// A page that needs nothing else, in light and dark, on narrow screens.
TEST(Render, HtmlIsSelfContained) {
  const std::string html = render_html(small_document());
  for (const char* part : {"<script", "src=", "href=", "url(", "@import", "<link", "<iframe", "https:"}) {
    EXPECT_EQ(html.find(part), std::string::npos) << part;
  }
  // The only address is the name of SVG's vocabulary.
  size_t addresses = 0;
  for (size_t at = html.find("http:"); at != std::string::npos; at = html.find("http:", at + 1)) ++addresses;
  EXPECT_EQ(addresses, 2u);  // of the plot for wide and for narrow screens
  EXPECT_NE(html.find("xmlns=\"http://www.w3.org/2000/svg\""), std::string::npos);
  EXPECT_NE(html.find("prefers-color-scheme:dark"), std::string::npos);
  EXPECT_NE(html.find("name=\"viewport\" content=\"width=device-width"), std::string::npos);
  EXPECT_NE(html.find("overflow-x:auto"), std::string::npos);
  for (const char* figure : {"<figure class=\"wide\"><svg", "<figure class=\"narrow\"><svg"}) {
    EXPECT_NE(html.find(figure), std::string::npos) << figure;
  }
  EXPECT_NE(html.find("max-width:44rem){figure.wide{display:none}"), std::string::npos);
}

TEST(Render, EscapesEveryText) {
  Document d = small_document();
  d.title = d.started = d.facts[0].first = d.facts[0].second = kNasty;
  Section& s = d.sections[0];
  s.title = s.paragraphs[0] = kNasty;
  Table& t = s.tables[0];
  t.title = t.columns[0] = t.notes[0] = kNasty;
  t.rows[0][0].text = t.rows[0][1].text = t.rows[1][1].note = t.rows[1][2].note = kNasty;
  s.plots[0].title = s.plots[0].x_label = s.plots[0].y_label = s.plots[0].curves[0].label = kNasty;
  const std::string html = render_html(d);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("alert('x')<"), std::string::npos);
  const std::string markdown = render_markdown(d);
  EXPECT_EQ(markdown.find("<script"), std::string::npos);
  EXPECT_EQ(markdown.find("[a]("), std::string::npos);
  EXPECT_EQ(markdown.find("\"|*"), std::string::npos);
  d.title = "line\nbreak\x01\xff";
  EXPECT_NE(render_html(d).find("line\\x0Abreak\\x01\\xFF"), std::string::npos);
}

TEST(ReportJson, HoldsTheWholeReport) {
  ReportFile file;
  file.conditions = {{"build", "abc"}};
  file.measurements["speed/x"] = {{{"decode_s", 0.1}, {"tokens", 3}}, ""};
  file.measurements["y"] = {{}, "why \xff not"};
  file.document = small_document();
  file.document.is_complete = false;
  const std::string json = report_json(file);
  const ReportFile read = parse_report_json(json, "f");
  EXPECT_EQ(read.conditions, file.conditions);
  EXPECT_EQ(read.measurements.at("speed/x"), file.measurements.at("speed/x"));
  EXPECT_FALSE(read.document.is_complete);
  EXPECT_EQ(read.document.sections[0].tables, file.document.sections[0].tables);
  EXPECT_EQ(render_html(read.document), render_html(file.document));
  EXPECT_EQ(render_markdown(read.document), render_markdown(file.document));
  EXPECT_EQ(report_json(read), report_json(parse_report_json(report_json(read), "f")));
}

TEST(ReportJson, RefusesWhatIsNone) {
  for (const char* text :
       {"", "[]", "3", "{}", "{\"format\":\"tern report\"}", "{\"format\":\"tern report\",\"version\":9}"}) {
    test::expect_error([&] { parse_report_json(text, "f.json"); }, "f.json: ");
  }
  ReportFile file;
  file.document = small_document();
  std::string json = report_json(file);
  json.replace(json.find("\"published\""), 11, "\"invented!\"");
  test::expect_error([&] { parse_report_json(json, "f.json"); }, "unknown origin 'invented!'");
}

}  // namespace
}  // namespace tern
