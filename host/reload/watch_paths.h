// Which folders tell of changes to a file, however it is replaced: in place, by a rename, or by
// switching a symbolic link somewhere on the way to it, as Kubernetes does with `..data`.
#pragma once

#include <set>
#include <string>

namespace bentohost::reload {

// The folder of `path`, and of each symbolic link that is met on the way to the file, as far as
// there is one. Absolute.
std::set<std::string> folders_to_watch(const std::string& path);

}  // namespace bentohost::reload
