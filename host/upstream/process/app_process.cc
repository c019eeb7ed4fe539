#include "upstream/process/app_process.h"

#include <sys/wait.h>

#include <utility>

namespace bentohost::upstream {

std::string wrong_interface(std::string_view output) {
  const auto has = [&](std::string_view text) {
    return output.find(text) != std::string_view::npos;
  };
  if (!has("TypeError")) return {};
  const bool lacks_argument = has("required positional argument");
  if (lacks_argument && has("'send'")) {
    return "the object is an ASGI app, and is served as WSGI: mount it as \"asgi\"";
  }
  if (lacks_argument && has("'start_response'")) {
    return "the object is a WSGI app, and is served as ASGI: mount it as \"wsgi\"";
  }
  if (has("object is not callable")) return "the object is neither an ASGI nor a WSGI app";
  return {};
}

AppProcess::AppProcess(EventLoop& loop, AppStart start, AppProcess::Owner& owner)
    : loop_(loop),
      start_(std::move(start)),
      owner_(owner),
      process_(loop, start_.message, start_.stream, *this),
      probe_(new ReadinessProbe(loop, start_.addresses, start_.ready_target, *this)),
      deadline_(loop.timers(), *this) {}

Status AppProcess::start(const std::string& exe) {
  started_at_ = loop_.clock().now();
  Status status = process_.start(exe);
  if (!status.ok()) return status;
  probe_->start();
  deadline_.set(started_at_ + start_.start_timeout);
  return {};
}

void AppProcess::on_answer(const std::string& address, int http_status) {
  const std::string fault = http_status == 500 ? wrong_interface(process_.last_lines()) : "";
  if (!fault.empty()) {
    end({fault, {}, "no_start", std::nullopt, std::nullopt});
    return process_.kill();
  }
  probe_.reset();
  deadline_.clear();
  ready_at_ = loop_.clock().now();
  address_ = address;
  state_ = State::kReady;
  owner_.on_ready();
}

void AppProcess::on_timer() {
  const std::string state = probe_->state();
  end({"it did not answer within " + seconds_text(start_.start_timeout) + " (" + state + ")",
       {},
       "start_timeout",
       std::nullopt,
       std::nullopt});
  process_.kill();
}

void AppProcess::on_ended(const ProgramEnd& program) {
  AppEnd how{"it " + program.text, {}, program.reason, std::nullopt, std::nullopt};
  if (program.status) {
    if (state_ == State::kStarting) how.why += " before it answered";
    if (WIFEXITED(*program.status)) how.exit_code = WEXITSTATUS(*program.status);
  }
  end(std::move(how));
}

void AppProcess::end(AppEnd end) {
  if (state_ != State::kStarting && state_ != State::kReady) return;
  if (state_ == State::kReady) end.served = loop_.clock().now() - ready_at_;
  state_ = State::kEnded;
  probe_.reset();
  deadline_.clear();
  end.last_lines = process_.last_lines();
  owner_.on_ended(end);
}

void AppProcess::on_gone() {
  state_ = State::kGone;
  owner_.on_gone();
}

}  // namespace bentohost::upstream
