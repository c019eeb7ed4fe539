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

// The child's stdin, stdout and stderr are the pipes, and it has no other descriptor. Once it calls
// become_child() (base/child_stdio.h), it has this process's limit of descriptors, and dies with
// the thread that calls this. Throws Poco::Exception. Any thread.
pid_t launch(const std::string& exe, const std::vector<std::string>& arguments, Poco::Pipe& in,
             Poco::Pipe& out, Poco::Pipe& err);

}  // namespace bentohost
