#include "reload/progress.h"

namespace bentohost::reload {

const char* name_of(Step step) {
  switch (step) {
    case Step::kCopy:
      return "copy";
    case Step::kElf:
      return "elf";
    case Step::kProbe:
      return "probe";
    case Step::kAbi:
      return "abi";
    case Step::kOptions:
      return "options";
    case Step::kConfigure:
      return "configure";
    case Step::kSymbols:
      return "symbols";
    case Step::kLibraries:
      return "libraries";
    case Step::kLoad:
      return "load";
    case Step::kCreate:
      return "create";
    case Step::kOnStartup:
      return "on_startup";
    case Step::kRoutes:
      return "routes";
    case Step::kRunners:
      return "runners";
    case Step::kSample:
      return "sample";
    case Step::kOnReady:
      return "on_ready";
    case Step::kSwap:
      return "swap";
  }
  return "unknown";
}

}  // namespace bentohost::reload
