// `tern eval tasks`, a part of the subcommand eval.
#pragma once

namespace CLI {
class App;
}

namespace tern {

void add_eval_tasks_command(CLI::App& eval);

}  // namespace tern
