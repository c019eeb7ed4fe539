#include "base/process/process_exit.h"

#include <string.h>
#include <sys/wait.h>

namespace bentohost {
namespace {

std::string signal_name(int number) {
  const char* abbreviation = ::sigabbrev_np(number);
  return abbreviation == nullptr ? "" : std::string("SIG") + abbreviation;
}

}  // namespace

std::string exit_text(int status) {
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    return "was killed by " + signal_name(number) + " (signal " + std::to_string(number) + ")";
  }
  return "exited with code " + std::to_string(WEXITSTATUS(status));
}

std::string exit_label(int status) {
  if (!WIFSIGNALED(status)) return "exit_" + std::to_string(WEXITSTATUS(status));
  const std::string name = signal_name(WTERMSIG(status));
  return name.empty() ? "signal_" + std::to_string(WTERMSIG(status)) : name;
}

}  // namespace bentohost
