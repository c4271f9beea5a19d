#include "server/http.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <deque>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/log.h"

namespace tern {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::chrono::microseconds duration(double seconds) {
  return std::chrono::microseconds(static_cast<int64_t>(seconds * 1e6));
}

HttpRequest plain_request(http::request<http::string_body>& message, const std::string& peer) {
  HttpRequest request;
  request.method = std::string(message.method_string());
  const std::string target(message.target());
  const size_t question = target.find('?');
  request.path = target.substr(0, question);
  if (question != std::string::npos) request.query = target.substr(question + 1);
  for (const auto& field : message) {
    std::string& value =
        request.headers[lower_case(std::string_view(field.name_string().data(), field.name_string().size()))];
    if (!value.empty()) value += ", ";
    value.append(field.value().data(), field.value().size());
  }
  request.body = std::move(message.body());
  request.peer = peer;
  return request;
}

std::string error_body(std::string_view message) {
  return "{\"error\":{\"message\":\"" + std::string(message) +
         "\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}";
}

class Closable {
 public:
  virtual ~Closable() = default;
  virtual void close() = 0;
  // Once the reply under way, if any, has been sent.
  virtual void close_when_sent() = 0;
};

// What all connections share.
struct Shared {
  const HttpOptions& options;
  const HttpServer::Handler& handler;
  std::map<Closable*, std::weak_ptr<Closable>> connections;
  std::function<void()> last_gone;  // called when there are no connections any more

  std::vector<std::shared_ptr<Closable>> alive() const {
    std::vector<std::shared_ptr<Closable>> all;
    for (const auto& [_, weak] : connections) {
      if (auto connection = weak.lock()) all.push_back(std::move(connection));
    }
    return all;
  }
};

// A connection: one request after the other, each answered before the next is read.
template <class Stream>
class Connection : public Closable, public std::enable_shared_from_this<Connection<Stream>> {
 public:
  Connection(Stream stream, Shared& shared, std::string peer)
      : stream_(std::move(stream)), shared_(shared), peer_(std::move(peer)), silence_(stream_.get_executor()) {}
  ~Connection() override {
    shared_.connections.erase(this);
    if (shared_.connections.empty() && shared_.last_gone) shared_.last_gone();
  }

  void start() {
    shared_.connections[this] = this->weak_from_this();
    if constexpr (kTls) {
      socket().expires_after(duration(shared_.options.request_seconds));
      stream_.async_handshake(asio::ssl::stream_base::server, [self = this->shared_from_this()](error_code error) {
        if (!error) self->wait_for_request();
      });
    } else {
      wait_for_request();
    }
  }

  void close() override {
    if (closed_) return;
    closed_ = true;
    silence_.cancel();
    error_code ignored;
    socket().socket().shutdown(tcp::socket::shutdown_both, ignored);
    socket().close();
    if (const auto closed = std::exchange(on_close_, nullptr)) closed();
  }

  void close_when_sent() override {
    keep_alive_ = false;
    if (!answering_ && output_.empty()) close();
  }

  // The reply to request number `request`; of an earlier one nothing is sent.
  class Reply : public HttpReply {
   public:
    Reply(std::shared_ptr<Connection> connection, uint64_t request)
        : connection_(std::move(connection)), request_(request) {}
    ~Reply() override {
      if (current() && !connection_->replied_) {
        connection_->send(500, "application/json", error_body("the request was not answered"), {});
      } else if (current() && connection_->streaming_) {
        connection_->finish();
      }
    }

    void send(int status, std::string_view content_type, std::string body, const HttpHeaders& headers) override {
      if (current() && !connection_->replied_) connection_->send(status, content_type, std::move(body), headers);
    }
    void begin_stream(const HttpHeaders& headers) override {
      if (current() && !connection_->replied_) connection_->begin_stream(headers);
    }
    void write(std::string_view piece) override {
      if (current() && connection_->streaming_) connection_->write(piece);
    }
    void end() override {
      if (current() && connection_->streaming_) connection_->finish();
    }
    void on_close(std::function<void()> closed) override {
      if (current() && !connection_->closed_) {
        connection_->on_close_ = std::move(closed);
      } else if (current()) {
        asio::post(connection_->stream_.get_executor(), std::move(closed));
      }
    }

   private:
    bool current() const { return connection_->requests_ == request_; }

    std::shared_ptr<Connection> connection_;
    uint64_t request_;
  };

 private:
  static constexpr bool kTls = !std::is_same_v<Stream, beast::tcp_stream>;

  beast::tcp_stream& socket() { return beast::get_lowest_layer(stream_); }

  // Between two requests a client may be silent for longer than within one.
  void wait_for_request() {
    if (buffer_.size() > 0) return read_request();
    socket().expires_after(duration(shared_.options.idle_seconds));
    stream_.async_read_some(buffer_.prepare(4096), [self = this->shared_from_this()](error_code error, size_t size) {
      if (error) return self->close();
      self->buffer_.commit(size);
      self->read_request();
    });
  }

  void read_request() {
    parser_.emplace();
    parser_->header_limit(static_cast<uint32_t>(shared_.options.most_header));
    parser_->body_limit(shared_.options.most_body);
    socket().expires_after(duration(shared_.options.request_seconds));
    http::async_read_header(stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code error, size_t) {
      if (error) return self->refuse(error);
      self->read_body();
    });
  }

  void read_body() {
    const auto expect = parser_->get()[http::field::expect];
    if (beast::iequals(expect, "100-continue") && buffer_.size() == 0) {
      const auto text = std::make_shared<std::string>("HTTP/1.1 100 Continue\r\n\r\n");
      asio::async_write(stream_, asio::buffer(*text),
                        [self = this->shared_from_this(), text](error_code error, size_t) {
                          if (error) return self->close();
                          self->read_rest();
                        });
      return;
    }
    read_rest();
  }

  void read_rest() {
    http::async_read(stream_, buffer_, *parser_, [self = this->shared_from_this()](error_code error, size_t) {
      if (error) return self->refuse(error);
      self->handle();
    });
  }

  // A request that is none, or too large: said where it can be, and the connection is given up.
  void refuse(error_code error) {
    int status = 0;
    if (error == http::error::body_limit) status = 413;
    if (error == http::error::header_limit) status = 431;
    const bool malformed = error.category() == make_error_code(http::error::bad_method).category() &&
                           error != http::error::end_of_stream && error != http::error::partial_message;
    if (status == 0 && malformed) status = 400;
    if (status == 0) return close();
    HttpRequest request = plain_request(parser_->get(), peer_);
    request.refused = status;
    request.problem = status == 413   ? fmt::format("the body is larger than {} bytes", shared_.options.most_body)
                      : status == 431 ? fmt::format("the header is larger than {} bytes", shared_.options.most_header)
                                      : "malformed HTTP request: " + error.message();
    keep_alive_ = false;
    version_ = 11;
    head_ = false;
    refused_ = true;
    answer(request);
  }

  void handle() {
    http::request<http::string_body> message = parser_->release();
    keep_alive_ = message.keep_alive();
    version_ = message.version();
    head_ = message.method() == http::verb::head;
    answer(plain_request(message, peer_));
  }

  void answer(const HttpRequest& request) {
    ++requests_;
    replied_ = streaming_ = false;
    answering_ = true;
    on_close_ = nullptr;
    socket().expires_never();
    const auto reply = std::make_shared<Reply>(this->shared_from_this(), requests_);
    if (!refused_) watch();
    try {
      shared_.handler(request, reply);
    } catch (const std::exception& error) {
      log_warning("a request failed: {}", error.what());
      reply->send(500, "application/json", error_body("internal error"), {});
    }
  }

  // While a reply is computed: the client's next bytes are its next request, an end of them its going away.
  void watch() {
    if (watching_ || closed_ || buffer_.size() > 0) return;
    watching_ = true;
    stream_.async_read_some(buffer_.prepare(4096), [self = this->shared_from_this()](error_code error, size_t size) {
      self->watching_ = false;
      self->silence_.cancel();
      if (error) return self->close();
      self->buffer_.commit(size);
      if (self->waiting_) self->next_request();
    });
  }

  void send(int status, std::string_view content_type, std::string body, const HttpHeaders& headers) {
    replied_ = true;
    std::string text = head(status, content_type, headers);
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    if (!head_) text += body;
    queue(std::move(text));
    complete();
  }

  void begin_stream(const HttpHeaders& headers) {
    replied_ = streaming_ = true;
    chunked_ = version_ >= 11;
    if (!chunked_) keep_alive_ = false;
    std::string text = head(200, "text/event-stream; charset=utf-8", headers);
    text += "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n";
    if (chunked_) text += "Transfer-Encoding: chunked\r\n";
    queue(text + "\r\n");
  }

  void write(std::string_view piece) {
    if (piece.empty()) return;
    if (!chunked_) return queue(std::string(piece));
    queue(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece));
  }

  void finish() {
    streaming_ = false;
    if (chunked_) queue("0\r\n\r\n");
    complete();
  }

  std::string head(int status, std::string_view content_type, const HttpHeaders& headers) const {
    std::string text = fmt::format("HTTP/1.1 {} {}\r\nServer: tern\r\nContent-Type: {}\r\n", status,
                                   status_text(status), content_type);
    if (!keep_alive_) text += "Connection: close\r\n";
    if (keep_alive_ && version_ < 11) text += "Connection: keep-alive\r\n";
    for (const auto& [name, value] : headers) {
      if (value.find_first_of("\r\n") == std::string::npos) text += name + ": " + value + "\r\n";
    }
    return text;
  }

  void queue(std::string text) {
    if (closed_ || gives_up_) return;
    unsent_ += text.size();
    if (unsent_ > shared_.options.most_unsent + text.size()) {  // a client that does not read
      gives_up_ = true;
      // Whoever writes this reply is told of its end when it has written.
      asio::post(stream_.get_executor(), [self = this->shared_from_this()] { self->close(); });
      return;
    }
    output_.push_back(std::move(text));
    if (output_.size() == 1) send_next();
  }

  void send_next() {
    socket().expires_after(duration(shared_.options.send_seconds));
    asio::async_write(stream_, asio::buffer(output_.front()),
                      [self = this->shared_from_this()](error_code error, size_t size) {
                        if (error) return self->close();
                        self->unsent_ -= size;
                        self->output_.pop_front();
                        if (!self->output_.empty()) return self->send_next();
                        self->socket().expires_never();
                        if (self->waiting_) self->next_request();
                      });
  }

  // The reply is whole: the next request comes when all of it has been sent.
  void complete() {
    on_close_ = nullptr;
    answering_ = false;
    waiting_ = true;
    if (output_.empty()) next_request();
  }

  void next_request() {
    if (!output_.empty() || closed_) return;
    if (!keep_alive_) return refused_ ? linger() : close();
    if (watching_) return limit_silence();  // its read is the next request's
    waiting_ = false;
    wait_for_request();
  }

  // Of a read that has begun the stream changes no time limit.
  void limit_silence() {
    silence_.expires_after(duration(shared_.options.idle_seconds));
    silence_.async_wait([self = this->shared_from_this(), last = requests_](error_code error) {
      if (!error && self->waiting_ && self->requests_ == last) self->close();
    });
  }

  // Closed with bytes unread the connection would be reset, and the reply lost with it: what a client that was refused
  // still sends is dropped.
  void linger() {
    error_code ignored;
    socket().socket().shutdown(tcp::socket::shutdown_send, ignored);
    socket().expires_after(duration(shared_.options.request_seconds));
    drop_rest();
  }

  void drop_rest() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(65536), [self = this->shared_from_this()](error_code error, size_t) {
      if (error) return self->close();
      self->drop_rest();
    });
  }

  Stream stream_;
  Shared& shared_;
  std::string peer_;
  asio::steady_timer silence_;  // runs while the next request's read is the last one's watch
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  uint64_t requests_ = 0;
  unsigned version_ = 11;
  bool keep_alive_ = true;
  bool head_ = false;
  bool replied_ = false;
  bool streaming_ = false;
  bool chunked_ = true;
  bool watching_ = false;  // a read is under way
  bool waiting_ = false;   // for the next request
  bool closed_ = false;
  bool answering_ = false;          // from a request to the end of its reply
  bool refused_ = false;            // a request that was none: the last one
  bool gives_up_ = false;           // is about to be closed
  std::deque<std::string> output_;  // the first is being sent
  size_t unsent_ = 0;               // bytes
  std::function<void()> on_close_;
};

}  // namespace

struct HttpServer::Parts {
  Parts(const HttpOptions& options_, Handler handler_)
      : options(options_), handler(std::move(handler_)), shared{options, handler, {}, nullptr} {}

  void listen() {
    error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    if (error) fail("address {}: expected an IPv4 or IPv6 address", options.address);
    const tcp::endpoint endpoint(address, options.port);
    const auto check = [&](const char* what) {
      if (error) fail("{}:{}: {}: {}", options.address, options.port, what, error.message());
    };
    acceptor.open(endpoint.protocol(), error);
    check("cannot open a socket");
    acceptor.set_option(asio::socket_base::reuse_address(true), error);
    acceptor.bind(endpoint, error);
    check("cannot listen");
    acceptor.listen(asio::socket_base::max_listen_connections, error);
    check("cannot listen");
  }

  void use_certificate() {
    if (options.certificate.empty() && options.key.empty()) return;
    if (options.certificate.empty() || options.key.empty()) fail("TLS needs both a certificate and a key");
    tls.emplace(asio::ssl::context::tls_server);
    tls->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                     asio::ssl::context::no_tlsv1_1);
    error_code error;
    tls->use_certificate_chain_file(options.certificate, error);
    if (error) fail("{}: no certificate chain: {}", options.certificate, error.message());
    tls->use_private_key_file(options.key, asio::ssl::context::pem, error);
    if (error) fail("{}: no private key: {}", options.key, error.message());
  }

  void accept() {
    acceptor.async_accept([this](error_code error, tcp::socket socket) {
      if (!acceptor.is_open()) return;
      if (error) {  // descriptors, most likely: some will be free in a moment
        log_warning("cannot accept a connection: {}", error.message());
        retry.expires_after(std::chrono::milliseconds(100));
        retry.async_wait([this](error_code cancelled) {
          if (!cancelled) accept();
        });
        return;
      }
      serve(std::move(socket));
      accept();
    });
  }

  void serve(tcp::socket socket) {
    if (shared.connections.size() >= options.most_connections) return;  // closed
    error_code error;
    socket.set_option(tcp::no_delay(true), error);
    const auto endpoint = socket.remote_endpoint(error);
    const std::string peer = error ? "" : endpoint.address().to_string();
    if (tls) {
      using Tls = beast::ssl_stream<beast::tcp_stream>;
      std::make_shared<Connection<Tls>>(Tls(beast::tcp_stream(std::move(socket)), *tls), shared, peer)->start();
    } else {
      std::make_shared<Connection<beast::tcp_stream>>(beast::tcp_stream(std::move(socket)), shared, peer)->start();
    }
  }

  // What connections refer to, before the context that holds the last of them.
  HttpOptions options;
  Handler handler;
  Shared shared;
  std::optional<asio::ssl::context> tls;
  asio::io_context context{1};
  tcp::acceptor acceptor{context};
  asio::steady_timer retry{context};
};

HttpServer::HttpServer(const HttpOptions& options, Handler handler)
    : parts_(std::make_unique<Parts>(options, std::move(handler))) {
  parts_->use_certificate();
  parts_->listen();
}

HttpServer::~HttpServer() = default;

uint16_t HttpServer::port() const { return parts_->acceptor.local_endpoint().port(); }

void HttpServer::run() {
  parts_->accept();
  const auto work = asio::make_work_guard(parts_->context);
  parts_->context.run();
  parts_->shared.last_gone = nullptr;
  // Whoever waits for a reply is told, and lets go of the connection.
  for (const auto& connection : parts_->shared.alive()) connection->close();
}

void HttpServer::post(std::function<void()> task) { asio::post(parts_->context, std::move(task)); }

void HttpServer::post_after(double seconds, std::function<void()> task) {
  auto timer = std::make_shared<asio::steady_timer>(parts_->context);
  timer->expires_after(duration(seconds));
  timer->async_wait([timer, task = std::move(task)](error_code error) {
    if (!error) task();
  });
}

void HttpServer::stop_accepting() {
  error_code ignored;
  parts_->acceptor.close(ignored);
}

void HttpServer::stop_when_sent() {
  if (parts_->shared.connections.empty()) return stop();
  parts_->shared.last_gone = [this] { stop(); };
  for (const auto& connection : parts_->shared.alive()) connection->close_when_sent();
}

void HttpServer::stop() { parts_->context.stop(); }

size_t HttpServer::connections() const { return parts_->shared.connections.size(); }

const std::string& HttpRequest::header(const std::string& name) const {
  static const std::string none;
  const auto found = headers.find(name);
  return found == headers.end() ? none : found->second;
}

std::string_view status_text(int status) {
  const auto text = http::obsolete_reason(static_cast<http::status>(status));
  return {text.data(), text.size()};
}

}  // namespace tern
