// The folders to watch to see every change of a file, however it is replaced: in place, by a
// rename, or by switching a symbolic link in its path, as Kubernetes does with `..data`.
#pragma once

#include <set>
#include <string>

namespace bentohost::reload {

// The folders, as absolute paths, of `path` and of each symbolic link on the way to the file, as
// far as the path exists.
std::set<std::string> folders_to_watch(const std::string& path);

}  // namespace bentohost::reload
