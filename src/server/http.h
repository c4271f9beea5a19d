// An HTTP/1.1 server on one thread (Boost.Beast stays in http.cc): connections in, requests to a handler, replies whole
// or as a stream of events.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tern {

struct HttpRequest {
  std::string method;
  std::string path;                            // without the query
  std::string query;                           // after '?', as it came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string peer;
  // Not 0: the status of a reply to a request that is none (400) or too large (413, 431), with the reason. What stands
  // above is what came of it, and may be empty.
  int refused = 0;
  std::string problem;

  // Empty when there is none.
  const std::string& header(const std::string& name) const;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// How a request is answered, once; on the server's thread alone. It outlives its connection: what is sent to a client
// that has gone is dropped.
class HttpReply {
 public:
  virtual ~HttpReply() = default;
  virtual void send(int status, std::string_view content_type, std::string body, const HttpHeaders& headers = {}) = 0;
  // A 200 whose body comes in pieces as text/event-stream, until end().
  virtual void begin_stream(const HttpHeaders& headers = {}) = 0;
  virtual void write(std::string_view piece) = 0;
  virtual void end() = 0;
  // Called once when the client goes away, or does not read, before the reply has ended; never while one of these
  // functions is under way.
  virtual void on_close(std::function<void()> closed) = 0;
};

struct HttpOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 8080;                   // 0: one that is free
  size_t most_body = size_t{16} << 20;    // bytes
  size_t most_header = size_t{16} << 10;  // bytes
  size_t most_connections = 1024;
  size_t most_unsent = size_t{4} << 20;  // bytes kept for a client that does not read
  double request_seconds = 30;           // for a request to come, once it has begun
  double idle_seconds = 75;              // between requests
  double send_seconds = 60;              // for a client to take a piece
  std::string certificate, key;          // PEM files; both or none: TLS or not
};

class HttpServer {
 public:
  using Handler = std::function<void(const HttpRequest&, std::shared_ptr<HttpReply>)>;

  // Listens at once. Error naming the address when it cannot, or a file that is no certificate or key.
  HttpServer(const HttpOptions& options, Handler handler);
  ~HttpServer();

  uint16_t port() const;
  // Serves until stop(). An exception of the handler becomes a reply with status 500.
  void run();
  // Calls `task` on the server's thread; from any thread.
  void post(std::function<void()> task);
  // Calls it there after some seconds, unless the server has stopped.
  void post_after(double seconds, std::function<void()> task);
  // No more connections; the server's thread.
  void stop_accepting();
  // After stop_accepting(), there too: ends run() once the replies under way have been sent; nobody may ask any more.
  void stop_when_sent();
  // Ends run(); any thread.
  void stop();
  size_t connections() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// The standard's words for a status: "Not Found".
std::string_view status_text(int status);

}  // namespace tern
