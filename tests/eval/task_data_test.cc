// Every task's questions out of files in their publishers' formats, good and bad.
#include "eval/task_data.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/compressed.h"
#include "support/errors.h"
#include "support/temporary_directory.h"

namespace tern::test {
namespace {

class TaskFiles : public testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) {
    make_directories((folder_ / name).parent_path());
    write_file(folder_ / name, text);
  }
  TaskData read(const std::string& task, size_t limit = 0) {
    return read_questions(find_task(task), folder_.path(), limit);
  }
  // A task of one's own on the file data.EXTENSION.
  TaskData read_own(const std::string& extension, std::string_view text, const std::string& more) {
    write("data." + extension, text);
    return read_questions(
        parse_task(R"({"task": "own", "files": "data.)" + extension + "\", " + more + "}", "own.json"), folder_.path());
  }
  static std::vector<std::string> texts(const Question& question) {
    std::vector<std::string> all;
    for (const ChoiceText& choice : question.choices) all.push_back(choice.context + "|" + choice.continuation);
    return all;
  }

  TemporaryDirectory folder_;
};

using Texts = std::vector<std::string>;

constexpr const char* kArc =
    R"({"id":"a","question":{"stem":"What is 1 + 1?","choices":[{"text":"two","label":"A"},{"text":"drei é","label":"B"},{"text":"4","label":"C"}]},"answerKey":"B"})"
    "\n";

TEST_F(TaskFiles, Arc) {
  write(
      "arc/ARC-Easy-Test.jsonl",
      std::string(kArc) + "\n" +
          R"({"question":{"stem":"Why?","choices":[{"text":"a","label":"1"},{"text":"b","label":"2"}]},"answerKey":"1"})");
  const TaskData data = read("arc_easy");
  EXPECT_EQ(data.rows, 2u);
  ASSERT_EQ(data.questions.size(), 2u);
  const Question& first = data.questions[0];
  EXPECT_EQ(texts(first), (Texts{"Question: What is 1 + 1?\nAnswer:| two", "Question: What is 1 + 1?\nAnswer:| drei é",
                                 "Question: What is 1 + 1?\nAnswer:| 4"}));
  EXPECT_EQ(first.answer, 1u);
  EXPECT_EQ(first.choices[1].length, 6u);  // characters, not bytes, without the space in front
  EXPECT_EQ(data.questions[1].answer, 0u);
  EXPECT_EQ(data.questions[1].line, 3u);  // an empty line lies between
  const TaskData limited = read("arc_easy", 1);
  EXPECT_EQ(limited.rows, 2u);
  EXPECT_EQ(limited.questions, std::vector{first});
  write("ARC-Challenge-Test.jsonl", kArc);
  EXPECT_EQ(read("arc_challenge").questions[0], first);
}

TEST_F(TaskFiles, HellaSwag) {
  write("hellaswag/hellaswag_val.jsonl",
        R"({"ind":24,"activity_label":"Roof [title] work","ctx_a":"A man sits.","ctx_b":"he IS","ctx":"-","label":3,)"
        R"("endings":["[header] uses  wrap.","b [x] c","d [open","[title] e"]})");
  const Question question = read("hellaswag").questions.at(0);
  EXPECT_EQ(texts(question), (Texts{"Roof. work: A man sits. He is|  uses wrap.", "Roof. work: A man sits. He is| b c",
                                    "Roof. work: A man sits. He is| d [open", "Roof. work: A man sits. He is|  e"}));
}

TEST_F(TaskFiles, BoolQ) {
  write("boolq/val.jsonl", R"({"question": "is it", "passage": "It is.", "idx": 0, "label": true})"
                           "\n"
                           R"({"question": "is it", "passage": "It is.", "idx": 1, "label": false})");
  const TaskData data = read("boolq");
  EXPECT_EQ(texts(data.questions[0]),
            (Texts{"It is.\nQuestion: is it?\nAnswer:| no", "It is.\nQuestion: is it?\nAnswer:| yes"}));
  EXPECT_EQ(data.questions[0].answer, 1u);
  EXPECT_EQ(data.questions[1].answer, 0u);
}

TEST_F(TaskFiles, OpenBookQA) {
  write("openbookqa/test.jsonl", kArc);
  const Question question = read("openbookqa").questions.at(0);
  EXPECT_EQ(texts(question)[0], "What is 1 + 1?| two");
  EXPECT_EQ(question.answer, 1u);
}

TEST_F(TaskFiles, PiqaHasItsAnswersInAFileOfTheirOwn) {
  write("piqa/valid.jsonl", R"({"goal": "g", "sol1": "one ", "sol2": "two"})"
                            "\n"
                            R"({"goal": "h", "sol1": "a", "sol2": "b"})"
                            "\n");
  write("piqa/valid-labels.lst", "1\n0\n");
  const TaskData data = read("piqa");
  EXPECT_EQ(texts(data.questions[0]), (Texts{"Question: g\nAnswer:| one ", "Question: g\nAnswer:| two"}));
  EXPECT_EQ(data.questions[0].answer, 1u);
  EXPECT_EQ(data.questions[0].choices[0].length, 4u);
  EXPECT_EQ(data.questions[1].answer, 0u);
  write("piqa/valid-labels.lst", "1\n");
  expect_error([&] { read("piqa"); }, "valid-labels.lst: expected an answer a line for the 2 rows of ");
  write("piqa/valid-labels.lst", "1\n2\n");
  expect_error([&] { read("piqa"); }, "valid.jsonl: line 2: the answer is '2', expected one of the choices '0', '1'");
  std::filesystem::remove(folder_ / "piqa/valid-labels.lst");
  expect_error([&] { read("piqa"); }, "valid-labels.lst");
}

TEST_F(TaskFiles, WinograndeChangesTheContext) {
  write(
      "winogrande/dev.jsonl",
      R"({"qID": "x", "sentence": "Ann met Bea, so _ was glad. ", "option1": "Ann", "option2": "Bea", "answer": "2"})");
  const Question question = read("winogrande").questions.at(0);
  EXPECT_EQ(texts(question), (Texts{"Ann met Bea, so Ann| was glad.", "Ann met Bea, so Bea| was glad."}));
  EXPECT_EQ(question.answer, 1u);
  write("winogrande/dev.jsonl", R"({"sentence": "None here", "option1": "a", "option2": "b", "answer": "2"})");
  expect_error([&] { read("winogrande"); }, "dev.jsonl: line 1: winogrande.context: line 1: index");
}

TEST_F(TaskFiles, LambadaIsTheLastWord) {
  write("lambada/lambada_test_openai.jsonl", R"({"text": "He said\nno word  twice"})");
  const Question question = read("lambada_openai").questions.at(0);
  EXPECT_EQ(texts(question), Texts{"He said\nno word | twice"});
}

TEST_F(TaskFiles, SciQAndSocialIqa) {
  write("sciq/test.json",
        R"([{"question": "q", "distractor1": "x", "distractor2": "y", "distractor3": "z", "correct_answer": "c",)"
        R"( "support": " s"}])");
  const Question science = read("sciq").questions.at(0);
  EXPECT_EQ(texts(science)[3], "s\nQuestion: q\nAnswer:| c");
  EXPECT_EQ(science.answer, 3u);
  write("siqa/dev.jsonl", R"({"context": "C.", "question": "q?", "answerA": "a", "answerB": "b", "answerC": "c"})");
  write("siqa/dev-labels.lst", "3\n");
  const Question social = read("social_iqa").questions.at(0);
  EXPECT_EQ(texts(social)[0], "Q: C. q?\nA:| a");
  EXPECT_EQ(social.answer, 2u);
}

TEST_F(TaskFiles, Copa) {
  write(
      "COPA/val.jsonl",
      R"({"premise": "The man fell. ", "choice1": "He CRIED.", "choice2": "It rained.", "question": "effect", "label": 0})"
      "\n"
      R"({"premise": "The man fell.", "choice1": "Ärger", "choice2": "i", "question": "cause", "label": 1})");
  const TaskData data = read("copa");
  EXPECT_EQ(texts(data.questions[0]),
            (Texts{"The man fell therefore|  he CRIED.", "The man fell therefore|  it rained."}));
  EXPECT_EQ(texts(data.questions[1]), (Texts{"The man fell because|  ärger", "The man fell because|  i"}));
  EXPECT_EQ(data.questions[0].answer, 0u);
  EXPECT_EQ(data.questions[1].answer, 1u);
  write("COPA/val.jsonl", R"({"premise": "p.", "choice1": "a", "choice2": "b", "question": "why", "label": 0})");
  expect_error([&] { read("copa"); }, "val.jsonl: line 1: copa.context: line 1: expected");
}

constexpr const char* kTableTask = R"("context": "{{q}}", "choices": ["{{a}}", "{{b}}"], "answer": "{{gold}}")";

TEST_F(TaskFiles, TablesWithCommasAndTabs) {
  const TaskData csv = read_own("csv", "q,a,b,gold\r\n\"x, \"\"y\"\"\nz\",1,2,0\r\n\nw,\"\",4,1", kTableTask);
  ASSERT_EQ(csv.questions.size(), 2u);
  EXPECT_EQ(texts(csv.questions[0]), (Texts{"x, \"y\"\nz| 1", "x, \"y\"\nz| 2"}));
  EXPECT_EQ(texts(csv.questions[1]), (Texts{"w| ", "w| 4"}));
  EXPECT_EQ(csv.questions[1].line, 5u);
  const TaskData tsv = read_own("tsv", "\xEF\xBB\xBFq\ta\tb\tgold\n\"x\t1\t2\t1\n", kTableTask);
  EXPECT_EQ(texts(tsv.questions.at(0)), (Texts{"\"x| 1", "\"x| 2"}));
  EXPECT_EQ(tsv.questions[0].answer, 1u);
}

TEST_F(TaskFiles, DamagedTables) {
  const auto error = [&](std::string_view text) { return error_of([&] { read_own("csv", text, kTableTask); }); };
  EXPECT_NE(error("q,a,b,gold\nx,1,2\n").find("data.csv: line 2: expected 4 fields as in the first line, found 3"),
            std::string::npos);
  EXPECT_NE(error("q,a,b,gold\n\"x,1,2,0\n").find("line 2: expected '\"' at the end of a field"), std::string::npos);
  EXPECT_NE(error("q,a,b,gold\n\"x\"y,1,2,0\n").find("line 2: expected ',' or a line's end"), std::string::npos);
  EXPECT_NE(error("q,a,b,gold\nx,\xFF,2,0\n").find("line 2: expected UTF-8"), std::string::npos);
  EXPECT_NE(error("q,a,b,gold\n").find("data.csv: expected rows, there are none"), std::string::npos);
  EXPECT_NE(error("").find("expected rows, there are none"), std::string::npos);
  EXPECT_NE(error("q,a,b\nx,1,2\n").find("line 2: own.answer: line 1: expected 'gold' to be defined"),
            std::string::npos);
}

TEST_F(TaskFiles, AFilterMakesNothingOfAMissingField) {
  const auto context = [&](const std::string& text) {
    return read_own("csv", "a,b\n1,2\n", R"("context": ")" + text + R"(", "continuation": "{{a}}")")
        .questions.at(0)
        .choices.at(0)
        .context;
  };
  expect_error([&] { context("{{c | lower}}"); }, "line 2: own.context: line 1: expected 'c' to be defined");
  expect_error([&] { context("{{c}}"); }, "line 2: own.context: line 1: expected 'c' to be defined");
  EXPECT_EQ(context("{{c | default('x')}}{{b}}"), "x2");
}

TEST_F(TaskFiles, CompressedFilesAreReadToo) {
  write("arc/ARC-Easy-Test.jsonl.gz", gzip_of(kArc));
  write("arc/ARC-Challenge-Test.jsonl.zst", zstd_of(kArc));
  EXPECT_EQ(read("arc_easy").questions, read("arc_challenge").questions);
}

TEST_F(TaskFiles, DamagedJsonSaysTheLine) {
  const auto error = [&](const std::string& second) {
    write("arc/ARC-Easy-Test.jsonl", kArc + second + "\n");
    return error_of([&] { read("arc_easy"); });
  };
  const std::string place = "arc/ARC-Easy-Test.jsonl: line 2: ";
  const auto expect = [&](const std::string& second, const std::string& part) {
    const std::string message = error(second);
    EXPECT_NE(message.find(place + part), std::string::npos) << message;
  };
  expect("{\"question\": ", "expected a JSON object, it is not valid JSON");
  expect("[1]", "expected a JSON object, it is array");
  expect("{\"a\": \"\xFF\"}", "expected a JSON object, it is not valid JSON");
  expect("{\"answerKey\": \"A\"}", "arc_easy.each: line 1: expected 'question' to be defined, it is not");
  const auto row = [](const std::string& stem, const std::string& choices, const std::string& key) {
    return R"({"question":{"stem":)" + stem + R"(,"choices":)" + choices + R"(},"answerKey":)" + key + "}";
  };
  const std::string two = R"([{"text":"a","label":"A"},{"text":"b","label":"B"}])";
  expect(row("\"s\"", R"([{"text":"a","label":"A"}])", "\"A\""),
         "arc_easy.each: expected at least two choices, found 1");
  expect(row("\"s\"", "[]", "\"A\""), "arc_easy.each: expected at least two choices, found 0");
  expect(row("\"s\"", "\"ab\"", "\"A\""), "arc_easy.each: expected a list of choices, found string");
  expect(row("\"s\"", two, "\"C\""), "the answer is 'C', expected one of the choices 'A', 'B'");
  expect(row("null", two, "\"A\""), "arc_easy.context: line 1: expected a text, a number or a truth value");
  expect(row("{}", two, "\"A\""), "arc_easy.context: line 1: expected a text, a number or a truth value");
  expect(row("\"s\"", R"([{"label":"A"},{"text":"b","label":"B"}])", "\"A\""),
         "arc_easy.choices: line 1: expected 'text' to be defined");
  // Cut anywhere, the second row is an error or, cut at its end, a question.
  const std::string good = row("\"s\"", two, "\"A\"");
  for (size_t size = 1; size < good.size(); ++size) {
    EXPECT_NE(error(good.substr(0, size)).find(place), std::string::npos) << size;
  }
}

TEST_F(TaskFiles, DamagedJsonArrays) {
  const auto expect = [&](std::string_view text, const std::string& part) {
    write("sciq/test.json", text);
    expect_error([&] { read("sciq"); }, "sciq/test.json: " + part);
  };
  expect("[", "expected a JSON array, it is not valid JSON");
  expect("{}", "expected a JSON array, it is object");
  expect("[]", "expected rows, there are none");
  expect("[3]", "item 1: expected an object, it is number");
  expect("[{}]", "item 1: sciq.choices: line 1: expected 'distractor1' to be defined");
}

TEST_F(TaskFiles, WhereNothingIs) {
  expect_error([&] { read("boolq"); }, "expected the data of boolq there (boolq/val.jsonl, BoolQ/val.jsonl)");
  const TaskDefinition odd =
      parse_task(R"({"task": "odd", "files": "x.xml", "context": "", "continuation": "a"})", "x");
  write("x.xml", "<a/>");
  expect_error([&] { read_questions(odd, folder_.path()); }, "x.xml: expected a name that ends in .jsonl");
}

}  // namespace
}  // namespace tern::test
