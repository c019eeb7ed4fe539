#include "upstream/process/interpreter_version.h"

#include <Poco/Exception.h>
#include <Poco/Pipe.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/loop/child_end.h"
#include "base/loop/timer_queue.h"
#include "base/process/launch.h"
#include "base/unique_fd.h"

namespace bentohost::upstream {
namespace {

constexpr Duration kLongest = std::chrono::seconds(5);
constexpr std::size_t kLongestAnswer = 200;

void say(const std::string& title, const std::string& interpreter, const std::string& version) {
  log_info(title + " runs with " + interpreter + (version.empty() ? "" : " (" + version + ")"));
}

// One `python --version`, which prints to stdout. Owns itself.
class Question final : private Timer::Owner {
 public:
  static void ask(EventLoop& loop, std::string title, std::string interpreter) {
    auto* const question = new Question(loop, std::move(title), std::move(interpreter));
    if (!question->start()) question->finish();
  }

 private:
  Question(EventLoop& loop, std::string title, std::string interpreter)
      : loop_(loop),
        title_(std::move(title)),
        interpreter_(std::move(interpreter)),
        timer_(loop.timers(), *this) {}

  bool start() {
    try {
      Poco::Pipe in, out, err;
      child_ = launch(interpreter_, {"--version"}, in, out, err);
      out_.reset(::fcntl(out.readHandle(), F_DUPFD_CLOEXEC, 3));
    } catch (const Poco::Exception&) {
      return false;  // the start of the app will say what is wrong with it
    }
    if (!out_) return false;
    ::fcntl(out_.get(), F_SETFL, O_NONBLOCK);
    const Status status =
        loop_.watch(out_.get(), EPOLLIN, [this](std::uint32_t) { read_answer(); });
    if (!status.ok()) {
      out_.reset();
      return false;
    }
    timer_.set(loop_.clock().now() + kLongest);
    return true;
  }

  void read_answer() {
    std::array<char, kLongestAnswer> chunk;
    const ssize_t size = ::read(out_.get(), chunk.data(), chunk.size());
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size > 0) answer_.append(chunk.data(), static_cast<std::size_t>(size));
    if (size <= 0 || answer_.size() >= kLongestAnswer) finish();
  }

  void on_timer() override { finish(); }

  void finish() {
    say(title_, interpreter_, answer_.substr(0, answer_.find('\n')));
    if (out_) loop_.unwatch(out_.get());
    if (child_ > 0) {
      ::kill(child_, SIGKILL);  // not reaped yet, so it is no other's number
      reap_later(loop_, child_, open_pidfd(child_));
    }
    delete this;
  }

  EventLoop& loop_;
  const std::string title_, interpreter_;
  Timer timer_;
  UniqueFd out_;
  pid_t child_ = -1;
  std::string answer_;
};

}  // namespace

void log_interpreter(EventLoop& loop, const std::string& title, const std::string& interpreter) {
  Question::ask(loop, title, interpreter);
}

}  // namespace bentohost::upstream
