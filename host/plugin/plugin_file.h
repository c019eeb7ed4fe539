// A plugin's file and its two names: the one that people know, and the one that is mapped.
#pragma once

#include <memory>
#include <string>

namespace bentohost::plugin {

class PrivateCopy;

struct PluginFile {
  std::string path;   // absolute: where its author put it; for messages, and for plugin_dir
  std::string image;  // our copy, which is loaded; empty: the file itself
  // The copy, in the process that made it: needed to have other processes load it later.
  std::shared_ptr<const PrivateCopy> copy = nullptr;

  std::string dir() const { return path.substr(0, path.rfind('/')); }
  const std::string& mapped() const { return image.empty() ? path : image; }
};

}  // namespace bentohost::plugin
