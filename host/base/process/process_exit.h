// How a child process ended, in words that say what to look for: shared by probe and runners.
#pragma once

#include <string>

namespace bentohost {

// "was killed by SIGSEGV (signal 11)", "exited with code 3"; `status` is waitpid's.
std::string exit_text(int status);
// The same as a metric's label, from a small fixed set: "SIGSEGV", "exit_3", "signal_40".
std::string exit_label(int status);

}  // namespace bentohost
