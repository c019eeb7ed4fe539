// A plugin's file, by its two names: the one that people know it by, and the one that is mapped.
#pragma once

#include <memory>
#include <string>

namespace bentohost::plugin {

class PrivateCopy;

struct PluginFile {
  std::string path;   // absolute: where its author put it; for messages, and for plugin_dir
  std::string image;  // what is loaded, a copy of ours; empty: the file itself
  // The copy, in the process that made it: for who has others load it, later than that.
  std::shared_ptr<const PrivateCopy> copy = nullptr;

  std::string dir() const { return path.substr(0, path.rfind('/')); }
  const std::string& mapped() const { return image.empty() ? path : image; }
};

}  // namespace bentohost::plugin
