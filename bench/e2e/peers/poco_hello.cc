// poco_hello PORT THREADS: POST /hello on Poco's HTTPServer as a user would tune it. A thread
// serves one connection until it closes, so THREADS must exceed the connections.
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/ThreadPool.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <limits>

namespace {

class Hello : public Poco::Net::HTTPRequestHandler {
  void handleRequest(Poco::Net::HTTPServerRequest& request,
                     Poco::Net::HTTPServerResponse& response) override {
    request.stream().ignore(std::numeric_limits<std::streamsize>::max());
    response.setContentType("text/plain");
    response.sendBuffer("hello", 5);  // head and body in one send
  }
};

class HelloFactory : public Poco::Net::HTTPRequestHandlerFactory {
  Poco::Net::HTTPRequestHandler* createRequestHandler(
      const Poco::Net::HTTPServerRequest&) override {
    return new Hello;
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto port = static_cast<Poco::UInt16>(std::atoi(argv[1]));
  const int threads = std::atoi(argv[2]);

  Poco::Net::HTTPServerParams::Ptr params = new Poco::Net::HTTPServerParams;
  params->setMaxThreads(threads);
  params->setMaxQueued(threads);
  params->setKeepAlive(true);
  params->setMaxKeepAliveRequests(0);  // no limit
  params->setKeepAliveTimeout(Poco::Timespan(60, 0));
  Poco::ThreadPool pool(threads, threads);
  // Poco's TCPServer sets TCP_NODELAY by itself.
  Poco::Net::ServerSocket socket(Poco::Net::SocketAddress("127.0.0.1", port), SOMAXCONN);
  Poco::Net::HTTPServer server(new HelloFactory, pool, socket, params);
  server.start();
  for (;;) ::pause();
}
