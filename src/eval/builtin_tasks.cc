#include <array>

#include "eval/tasks.h"

namespace tern {
namespace {

// Files by the names of their publishers' archives. Prompts are those of lm-evaluation-harness 0.4 in the versions of
// its tasks that are said, its oddities too:
// where a task of it has no test split, a row that the questions hold is left out of the shots; LAMBADA's shots have
// two spaces before their last word, COPA's choices always.
constexpr std::array kBuiltinTasks = {
    R"({"task": "arc_easy", "version": 1.0,
        "files": ["arc/ARC-Easy-Test.jsonl", "ARC-Easy/ARC-Easy-Test.jsonl", "ARC-V1-Feb2018-2/ARC-Easy/ARC-Easy-Test.jsonl",
                  "ARC-Easy-Test.jsonl"],
        "context": "Question: {{question.stem}}\nAnswer:",
        "each": "question.choices", "choices": "{{item.text}}", "labels": "{{item.label}}", "answer": "{{answerKey}}",
        "fewshot": {"files": ["arc/ARC-Easy-Train.jsonl", "ARC-Easy/ARC-Easy-Train.jsonl",
                              "ARC-V1-Feb2018-2/ARC-Easy/ARC-Easy-Train.jsonl", "ARC-Easy-Train.jsonl"]}})",
    R"({"task": "arc_challenge", "version": 1.0,
        "files": ["arc/ARC-Challenge-Test.jsonl", "ARC-Challenge/ARC-Challenge-Test.jsonl",
                  "ARC-V1-Feb2018-2/ARC-Challenge/ARC-Challenge-Test.jsonl", "ARC-Challenge-Test.jsonl"],
        "context": "Question: {{question.stem}}\nAnswer:",
        "each": "question.choices", "choices": "{{item.text}}", "labels": "{{item.label}}", "answer": "{{answerKey}}",
        "fewshot": {"files": ["arc/ARC-Challenge-Train.jsonl", "ARC-Challenge/ARC-Challenge-Train.jsonl",
                              "ARC-V1-Feb2018-2/ARC-Challenge/ARC-Challenge-Train.jsonl",
                              "ARC-Challenge-Train.jsonl"]}})",
    R"({"task": "hellaswag", "version": 1.0,
        "files": ["hellaswag/hellaswag_val.jsonl", "hellaswag_val.jsonl"],
        "context": "{{activity_label}}: {{ctx_a}} {{ctx_b.capitalize()}}",
        "each": "endings", "choices": "{{item}}", "answer": "{{label}}", "clean": "wikihow",
        "fewshot": {"files": ["hellaswag/hellaswag_train.jsonl", "hellaswag_train.jsonl"],
                    "excludes_question": true}})",
    R"({"task": "boolq", "version": 2.0,
        "files": ["boolq/val.jsonl", "BoolQ/val.jsonl"],
        "context": "{{passage}}\nQuestion: {{question}}?\nAnswer:",
        "choices": ["no", "yes"], "labels": ["False", "True"], "answer": "{{label}}", "acc_norm": false,
        "fewshot": {"files": ["boolq/train.jsonl", "BoolQ/train.jsonl"], "excludes_question": true}})",
    R"({"task": "openbookqa", "version": 1.0,
        "files": ["openbookqa/test.jsonl", "OpenBookQA-V1-Sep2018/Data/Main/test.jsonl"],
        "context": "{{question.stem}}",
        "each": "question.choices", "choices": "{{item.text}}", "labels": "{{item.label}}",
        "answer": "{{answerKey.strip()}}",
        "fewshot": {"files": ["openbookqa/train.jsonl", "OpenBookQA-V1-Sep2018/Data/Main/train.jsonl"]}})",
    R"({"task": "piqa", "version": 1.0,
        "files": ["piqa/valid.jsonl", "piqa/dev.jsonl", "physicaliqa-train-dev/dev.jsonl"], "answers": "-labels.lst",
        "context": "Question: {{goal}}\nAnswer:", "choices": ["{{sol1}}", "{{sol2}}"], "answer": "{{answer}}",
        "fewshot": {"files": ["piqa/train.jsonl", "physicaliqa-train-dev/train.jsonl"], "excludes_question": true}})",
    R"({"task": "winogrande", "version": 1.0,
        "files": ["winogrande/dev.jsonl", "winogrande_1.1/dev.jsonl"],
        "choices": ["{{option1}}", "{{option2}}"], "labels": ["1", "2"], "answer": "{{answer}}",
        "context": "{{sentence[:sentence.index('_')]}}{{choice}}",
        "continuation": "{{sentence[sentence.index('_') + 1:].strip()}}", "acc_norm": false,
        "fewshot": {"files": ["winogrande/train_xl.jsonl", "winogrande_1.1/train_xl.jsonl"],
                    "excludes_question": true}})",
    R"({"task": "lambada_openai", "version": 1.0,
        "files": ["lambada/lambada_test_openai.jsonl", "lambada/lambada_test.jsonl", "lambada_test.jsonl"],
        "context": "{{text.split(' ')[:-1] | join(' ')}}", "continuation": "{{text.split(' ')[-1]}}",
        "fewshot": {"target_delimiter": "  ", "excludes_question": false}})",
    R"({"task": "sciq", "version": 1.0,
        "files": ["sciq/test.json", "SciQ dataset-2 3/test.json"],
        "context": "{{support.lstrip()}}\nQuestion: {{question}}\nAnswer:",
        "choices": ["{{distractor1}}", "{{distractor2}}", "{{distractor3}}", "{{correct_answer}}"], "answer": "3",
        "fewshot": {"files": ["sciq/train.json", "SciQ dataset-2 3/train.json"]}})",
    R"({"task": "social_iqa", "version": 0.0, "alias": "siqa",
        "files": ["siqa/dev.jsonl", "socialiqa-train-dev/dev.jsonl"], "answers": "-labels.lst",
        "context": "Q: {{context}} {{question}}\nA:", "choices": ["{{answerA}}", "{{answerB}}", "{{answerC}}"],
        "labels": ["1", "2", "3"], "answer": "{{answer}}", "acc_norm": false,
        "fewshot": {"files": ["siqa/train.jsonl", "socialiqa-train-dev/train.jsonl"], "excludes_question": true}})",
    R"({"task": "copa", "version": 1.0,
        "files": ["copa/val.jsonl", "COPA/val.jsonl"],
        "context": "{{premise.strip()[:-1]}} {{ {'cause': 'because', 'effect': 'therefore'}[question] }}",
        "choices": [" {{choice1[0] | lower}}{{choice1[1:]}}", " {{choice2[0] | lower}}{{choice2[1:]}}"],
        "answer": "{{label}}", "acc_norm": false,
        "fewshot": {"files": ["copa/train.jsonl", "COPA/train.jsonl"], "excludes_question": true}})",
};

}  // namespace

std::vector<TaskDefinition> builtin_tasks() {
  std::vector<TaskDefinition> tasks;
  for (const char* text : kBuiltinTasks) tasks.push_back(parse_task(text, "built-in task"));
  return tasks;
}

}  // namespace tern
