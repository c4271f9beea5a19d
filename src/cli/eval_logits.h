// `tern eval logits`, a part of the subcommand eval.
#pragma once

namespace CLI {
class App;
}

namespace tern {

void add_eval_logits_command(CLI::App& eval);

}  // namespace tern
