// ServiceSlot: the place of one service in the host, whatever its generation: what the command line
// asks for, the generation that serves, and the generations before it. ServiceSlots are all of
// them.
//
// The slots are made once and stay where they are. One thread at a time changes them: main at the
// start and at the end, the reloader in between. What is guarded by `mutex` may be read by any
// thread that holds it, and so may what is set at the start and changes no more.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "plugin/private_copy.h"
#include "reload/generation.h"
#include "service/live_service.h"
#include "service/routing/service_routes.h"

namespace bentohost::reload {

// What the command line asks for, once for each service.
struct ServiceSlotOptions {
  std::string library;  // a bare name or a path
  std::string prefix;   // of its routes: "" or "/iris"
  // Of --use alone: middleware that goes around other services.
  bool is_around = false;
  std::string around;  // the service that it goes around; "": around each
  std::string name;    // what the middleware's service must be called
};

struct ServiceSlot {
  ServiceSlotOptions options;
  std::string path;     // of the plugin's file, set at the start
  std::string service;  // its name, set at the start
  std::shared_ptr<service::LiveService> live;
  service::ServiceRoutesPtr routes;  // null where options.is_around
  // Guarded by the mutex of ServiceSlots:
  GenerationPtr current;          // null until the service is loaded
  std::deque<GenerationPtr> old;  // the newest last
  plugin::FileStamp tried;        // of the file that was last looked at, and is not served
  std::uint64_t reloads = 0, failures = 0;
  std::string last_error;  // a JSON object; "" for none
};

struct ServiceSlots {
  std::deque<ServiceSlot> all;  // in the order of the options, those around come last
  mutable Mutex mutex;
};

}  // namespace bentohost::reload
