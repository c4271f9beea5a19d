// Texts as lm-evaluation-harness cleans them. The expected ones are what its Python makes of them.
#include "eval/clean_text.h"

#include <gtest/gtest.h>

namespace tern {
namespace {

TEST(CleanText, IsHellaSwags) {
  EXPECT_EQ(clean_text(" a [b]", TextCleaning::kNone), " a [b]");
  EXPECT_EQ(clean_text("  a [title] b  c    d ", TextCleaning::kWikiHow), "a. b c  d");
  EXPECT_EQ(clean_text("x[1][2]]y[\n]z[", TextCleaning::kWikiHow), "x]y[\n]z[");
}

using Texts = std::vector<std::string>;

TEST(WikiText, PagesBeginAtTitles) {
  EXPECT_EQ(wikitext_pages(" \n = A = \n \n x \n = = B = = \n y \n = C = \n z \n"),
            (Texts{" = A = \n \n x \n = = B = = \n y ", " = C = \n z \n"}));
  EXPECT_EQ(wikitext_pages("no title"), Texts{"no title"});
  EXPECT_EQ(wikitext_pages("a\n = B = "), (Texts{"a", " = B = "}));
  EXPECT_EQ(wikitext_pages(""), Texts{""});
}

TEST(WikiText, Detokenized) {
  EXPECT_EQ(wikitext_detokenized(" = = T = = \n He said @-@ so : 1 @,@ 5 @.@ 2 , ( a b ) [ ] { \n c } "),
            " == T ==\nHe said-so: 1,5.2, (a b) [] {c} ");
  EXPECT_EQ(wikitext_detokenized("\" x \" ' y ' dogs ' z 's ; N = = = = e ! f ? 3 \xC2\xB0 C . ("),
            "\"x\" 'y' dogs'z's; 1 ==== e! f? 3\xC2\xB0"
            "C. (");
  EXPECT_EQ(wikitext_detokenized("a /' 1/ b /' 12/ /' 3/' 4/ \" c"), "a /'[0-9]/ b /' 12/ /'[0-9]/' 4/ \" c");
}

TEST(WikiText, RowsJoined) {
  EXPECT_EQ(wikitext_joined_rows(" = A = \n \n x \n"), " = A = \n\n\n\n\n x \n");
  EXPECT_EQ(wikitext_joined_rows("a"), "a\n");
}

TEST(CountWords, IsPythonsSplit) {
  EXPECT_EQ(count_words(""), 1u);
  EXPECT_EQ(count_words("a  b\n"), 3u);
  EXPECT_EQ(count_words(" \xC2\xA0"
                        "a"),
            2u);
  EXPECT_EQ(count_words("\xFF \xFF"), 2u);
}

}  // namespace
}  // namespace tern
