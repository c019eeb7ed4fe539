// ServiceSlot: the slot of one service in the host, across its generations: its options from the
// command line, the generation that serves, and the generations before it. ServiceSlots has all
// slots of the host.
//
// The slots are created once and do not move. One thread at a time changes them: main at the start
// and at the end, the reloader in between. Any thread may read members that are guarded by `mutex`
// if it holds the mutex, and members that are set at the start and never change.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "mount/app_spec.h"
#include "plugin/private_copy.h"
#include "reload/generation.h"
#include "service/live_service.h"
#include "service/routing/service_routes.h"

namespace bentohost::reload {

// The command line's options for one service.
struct ServiceSlotOptions {
  std::string library;  // a bare name or a path
  std::string prefix;   // of its routes: "" or "/iris"
  // For --use only: middleware that wraps other services.
  bool is_around = false;
  std::string around;                     // the service that it wraps; "": all of them
  std::string name;                       // the name that the middleware's service must have
  std::vector<mount::Mount> mounts = {};  // that the operator adds to the service
  std::string instance = {};  // what the operator calls the service; empty: by its own name
};

struct ServiceSlot {
  ServiceSlotOptions options;
  std::string path;     // of the plugin's file; set at the start
  std::string service;  // what the operator calls the service; set at the start
  std::shared_ptr<service::LiveService> live;
  service::ServiceRoutesPtr routes;  // null where options.is_around
  // Guarded by the mutex of ServiceSlots:
  GenerationPtr current;          // null until the service is loaded
  std::deque<GenerationPtr> old;  // the newest last
  plugin::FileStamp tried;        // of the file that was tried last and does not serve
  std::string tried_sources;      // the same of the mounted programs' files
  std::string tried_files;        // ... and of the files that the description is made from
  std::uint64_t reloads = 0, failures = 0;
  std::string last_error;  // a JSON object; "" for none
};

struct ServiceSlots {
  std::deque<ServiceSlot> all;  // in the order of the options; middleware (--use) comes last
  mutable Mutex mutex;
};

}  // namespace bentohost::reload
