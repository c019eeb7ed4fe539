// httplib_hello PORT THREADS: POST /hello on cpp-httplib as a user would tune it. A thread serves
// one connection until it closes, so THREADS must exceed the connections.
#include <httplib.h>
#include <sys/socket.h>

#include <cstdlib>
#include <limits>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int port = std::atoi(argv[1]);
  const auto threads = static_cast<std::size_t>(std::atoi(argv[2]));

  httplib::Server server;
  server.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(std::numeric_limits<std::size_t>::max());
  server.set_keep_alive_timeout(60);
  int listener = -1;
  server.set_socket_options([&listener](int socket) {
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    listener = socket;
  });
  server.Post("/hello", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("hello", "text/plain");
  });
  if (!server.bind_to_port("127.0.0.1", port)) return 1;
  // The library is built with a backlog of 5: at 256 connections most of a burst would have to
  // retry after a second. A second listen() sets a larger one.
  if (::listen(listener, SOMAXCONN) != 0) return 1;
  return server.listen_after_bind() ? 0 : 1;
}
