// Describes how a child process ended. Shared by the probe and the runners.
#pragma once

#include <string>

namespace bentohost {

// "was killed by SIGSEGV (signal 11)", "exited with code 3". `status` comes from waitpid().
std::string exit_text(int status);
// The same as a metric's label, from a small fixed set: "SIGSEGV", "exit_3", "signal_40".
std::string exit_label(int status);

}  // namespace bentohost
