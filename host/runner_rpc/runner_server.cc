#include "runner_rpc/runner_server.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

#include "plugin/copy_place.h"
#include "runner_rpc/acceptor.h"
#include "runner_rpc/connection.h"

namespace bentohost::runner_rpc {
namespace {

constexpr Duration kCloseTime = std::chrono::seconds(1);
constexpr Duration kLook = std::chrono::milliseconds(2);

Result<std::string> random_token() {
  std::array<unsigned char, 32> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return Status(BENTO_UNAVAILABLE, "getrandom: " + std::generic_category().message(errno));
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string token;
  for (const unsigned char byte : bytes) {
    token += kDigits[byte >> 4];
    token += kDigits[byte & 15];
  }
  return token;
}

}  // namespace

RunnerServer::RunnerServer(ServerOptions options, Loops loops)
    : state_(std::make_shared<ServerState>(std::move(options))), loops_(std::move(loops)) {}

RunnerServer::~RunnerServer() { stop(TimePoint::min()); }

Status RunnerServer::open(const std::string& path, const std::string& token,
                          ListeningSocket::IfTaken if_taken) {
  const MutexLock lock(mutex_);
  return listen(path, token, true, if_taken);
}

Result<RunnerServer::Variables> RunnerServer::private_environment() {
  const MutexLock lock(mutex_);
  if (place_ != nullptr) return environment_;
  auto place = plugin::CopyPlace::create("");
  if (!place.ok()) return std::move(place).take_status().prefixed("for the apps' runner calls: ");
  auto token = random_token();
  if (!token.ok()) return std::move(token).take_status();
  std::string path;
  {
    const MutexLock its_lock((*place)->mutex());
    path = (*place)->path() + "/runners";
  }
  if (Status status = listen(path, *token, false, ListeningSocket::IfTaken::kRefuse);
      !status.ok()) {
    return status;
  }
  place_ = *std::move(place);
  environment_ = {{"BENTO_RUNNER_SOCKET", path}, {"BENTO_RUNNER_TOKEN", *token}};
  return environment_;
}

Status RunnerServer::listen(const std::string& path, const std::string& token, bool is_guest,
                            ListeningSocket::IfTaken if_taken) {
  auto socket = ListeningSocket::open(path, if_taken);
  if (!socket.ok()) return std::move(socket).take_status();
  acceptors_.push_back(
      std::make_shared<Acceptor>(state_, loops_, *std::move(socket), token, is_guest));
  if (is_serving_) {
    loops_.front()->post([acceptor = acceptors_.back()] { acceptor->start(); });
  }
  return {};
}

void RunnerServer::serve() {
  const MutexLock lock(mutex_);
  is_serving_ = true;
  for (const auto& acceptor : acceptors_) {
    loops_.front()->post([acceptor] { acceptor->start(); });
  }
}

void RunnerServer::refuse_guests() { state_->refuses_guests = true; }

std::size_t RunnerServer::stop(TimePoint deadline) {
  state_->refuses_all = true;
  const MutexLock lock(mutex_);
  if (!std::exchange(is_serving_, false)) return 0;
  while (state_->calls.load() != 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kLook);
  }
  const std::size_t left = state_->calls.load();
  for (auto& acceptor : std::exchange(acceptors_, {})) {
    loops_.front()->post([acceptor = std::move(acceptor)] { acceptor->stop(); });
  }
  loops_.front()->let_turn(kCloseTime);  // no new connection comes from now on
  for (const auto& connection : state_->connections()) {
    connection->loop().post([connection] { connection->close(); });
  }
  for (const auto& loop : loops_) loop->let_turn(kCloseTime);
  if (place_ != nullptr) place_->remove();
  return left;
}

}  // namespace bentohost::runner_rpc
