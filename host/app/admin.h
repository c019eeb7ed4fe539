// The admin port's pages about the service table, beside health and metrics.
//
//   GET  /plugins                   generations, states, requests, build ids, times, the last error
//   POST /plugins/{service}/reload  answers when done: 200, or 409 or 422 with the failed step;
//                                   ?force=true also reloads a file that has not changed
#pragma once

#include "reload/reloader.h"
#include "reload/service_table.h"
#include "service/routing/dispatcher.h"

namespace bentohost::app {

// Call before serving. `services` and `reloader` must outlive the dispatcher's last request.
void add_admin_pages(service::Dispatcher& dispatcher, reload::ServiceTable& services,
                     reload::Reloader& reloader);

}  // namespace bentohost::app
