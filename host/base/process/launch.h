// The one way in which this program starts itself as a child: Poco::Process::launch() without the
// milliseconds that its child takes to close whatever descriptor could be open, one by one up to
// the limit of their number: tens of thousands, in a host that has raised it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace Poco {
class Pipe;
}

namespace bentohost {

// What to launch() for another process of this program, whatever has become of its file: it may
// have been removed, or replaced by another version, which would not understand us. That is
// /proc/self/exe, by which the kernel leads a child of fork() to the very same file; under valgrind
// or an emulator, whose own program that is, the path. Any thread.
const std::string& own_program();

// The child's stdin, stdout and stderr are the pipes, and it has no other descriptor. Signals are
// blocked in it, so that one to the whole group of processes does not end it before it has
// handlers. Once it calls become_child() (base/child_stdio.h), they are not any more, it has this
// process's limit of descriptors, and dies with the thread that calls this. Throws Poco::Exception,
// in words if `exe` cannot be executed. Any thread.
pid_t launch(const std::string& exe, const std::vector<std::string>& arguments, Poco::Pipe& in,
             Poco::Pipe& out, Poco::Pipe& err);

}  // namespace bentohost
