// The routes: from HTTP requests to the engine's and back (docs/serving.md). Everything here happens on the HTTP
// server's thread; the engine's events are posted to it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "infer/embedder.h"
#include "model/load.h"
#include "server/engine.h"
#include "server/http.h"
#include "template/chat_template.h"

namespace tern {

struct ServiceOptions {
  std::string model_name;
  std::vector<std::string> api_keys;  // none: everybody may
  std::vector<std::string> origins;   // that browsers may call from; "*": any
  bool loopback = true;               // then requests must name a loopback host (DNS rebinding)
  bool access_log = false;            // a JSON line a request
  double most_seconds = 0;            // for one request; 0: no limit
  Batcher::Options batch;
  size_t most_waiting = 512;
};

class Service {
 public:
  // `loaded` with its tokenizer moved to `tokenizer`. All outlive the service.
  Service(const LoadedModel& loaded, const Tokenizer& tokenizer, std::optional<ChatTemplate> chat_template,
          const ServiceOptions& options, Threads& threads);
  ~Service();

  // The handler for the server that is then given to attach().
  void handle(const HttpRequest& request, std::shared_ptr<HttpReply> reply);
  void attach(HttpServer& server);
  // When the server has ended, and before it is gone: nothing is computed or posted to it any more.
  void detach();

  // No more requests but those under way; `done` is called once they have ended. Those that have not after `seconds`
  // end with an error.
  void drain(double seconds, std::function<void()> done);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tern
