// Starts this program as a child of itself. Wraps Poco::Process::launch(), whose child closes every
// possible descriptor, one by one up to the limit. With a raised limit these are tens of thousands,
// which takes milliseconds; here the child gets a low limit.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace Poco {
class Pipe;
}

namespace bentohost {

// The path to launch() for another process of this program, even if its file was removed, or
// replaced by a version that would not understand us. It is /proc/self/exe, which the kernel
// resolves in a child of fork() to the very same file. Under valgrind or an emulator that link is
// their own program, so the path of ours is used. Any thread.
const std::string& own_program();

// The child's stdin, stdout and stderr are the pipes, and it has no other descriptor. Its signals
// are blocked, so that one sent to the process group does not end it before it has handlers. Once
// it calls become_child() (base/process/child_stdio.h), signals are unblocked, the limit of
// descriptors is this process's, and the child dies with the thread that called launch(). Throws
// Poco::Exception, with the reason if `exe` cannot be executed. Any thread.
pid_t launch(const std::string& exe, const std::vector<std::string>& arguments, Poco::Pipe& in,
             Poco::Pipe& out, Poco::Pipe& err);

}  // namespace bentohost
