/* What another engine computes where `tern eval logits` is tern's: the logits after each of some tokens, as raw floats
 * (tokens x VOCAB) on standard output. Compiled by compare_peers against that engine's llama.h; llama.cpp and
 * ik_llama.cpp have these functions under the same names.
 *
 * usage: engine_logits MODEL VOCAB THREADS TOKEN...
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "llama.h"

static void ignore(enum ggml_log_level level, const char* text, void* data) {
  (void)level;
  (void)text;
  (void)data;
}

static int stop(const char* what) {
  fprintf(stderr, "engine_logits: %s\n", what);
  return 1;
}

int main(int argc, char** argv) {
  if (argc < 5) return stop("expected MODEL VOCAB THREADS TOKEN...");
  const int32_t count = argc - 4;
  const size_t vocab = strtoul(argv[2], NULL, 10);
  llama_log_set(ignore, NULL);
  llama_backend_init();
  struct llama_model* model = llama_model_load_from_file(argv[1], llama_model_default_params());
  if (model == NULL) return stop("the engine does not read the model");
  struct llama_context_params params = llama_context_default_params();
  params.n_ctx = params.n_batch = params.n_ubatch = (uint32_t)(count + 255) / 256 * 256;
  params.n_threads = params.n_threads_batch = atoi(argv[3]);
  params.flash_attn = 0;
  struct llama_context* context = llama_init_from_model(model, params);
  if (context == NULL) return stop("the engine has no room for the tokens");
  struct llama_batch batch = llama_batch_init(count, 0, 1);
  batch.n_tokens = count;
  for (int32_t i = 0; i < count; ++i) {
    batch.token[i] = atoi(argv[4 + i]);
    batch.pos[i] = i;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = 1;
  }
  if (llama_decode(context, batch) != 0) return stop("the engine cannot compute the tokens");
  for (int32_t i = 0; i < count; ++i) {
    if (fwrite(llama_get_logits_ith(context, i), sizeof(float), vocab, stdout) != vocab) return stop("cannot write");
  }
  return 0;
}
