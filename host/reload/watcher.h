// Watcher: reports files that may have changed, once they have been left alone. (inotify(7))
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost::reload {

class Watcher {
 public:
  // Changes are reported when nothing has happened in the files' folders for this long: a build
  // that writes for seconds is one change, and so are a thousand touches.
  static constexpr Duration kQuiet = std::chrono::milliseconds(200);
  // ... or this long after the first change, in case the folders never go quiet.
  static constexpr Duration kLongest = std::chrono::seconds(1);

  // Each file has a name; `on_change(name)` is called once at the start, too, and when there are
  // other folders to watch, for what has happened before they were watched. `on_change(name)` is
  // called on the watcher's thread, for each file that may have changed; the callback must check
  // whether it has. `more` is asked, on any thread, for files that may be others each time.
  using Files = std::vector<std::pair<std::string, std::string>>;  // name, path
  using OnChange = std::function<void(const std::string& name)>;
  Watcher(Files files, std::function<Files()> more, OnChange on_change)
      : files_(std::move(files)), more_(std::move(more)), on_change_(std::move(on_change)) {}
  ~Watcher() { stop(); }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // RESOURCE_EXHAUSTED when the system is out of watches: "... fs.inotify.max_user_watches".
  Status start();
  void stop();

 private:
  void run();
  Status watch_folders();  // sets has_new_folders_
  bool take_events();

  const Files files_;
  const std::function<Files()> more_;
  const OnChange on_change_;
  UniqueFd inotify_, over_;
  std::map<std::string, int> watches_;  // by folder
  bool has_new_folders_ = false;        // what happened in them before was not seen
  std::thread thread_;
};

}  // namespace bentohost::reload
