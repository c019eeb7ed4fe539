#include "plugin/http_client_table.h"

#include <utility>

#include "base/status.h"
#include "plugin/check_struct.h"
#include "plugin/context.h"

namespace bentohost::plugin {
namespace {

bento_code fetch(bento_ctx* ctx, const bento_fetch* request, bento_ticket** out,
                 bento_error* error) {
  return answer_plugin(error, [&]() -> Status {
    Status status = check_size(request, "bento_fetch");
    if (!status.ok()) return std::move(status).as_misuse();
    auto ticket = ctx->fetch(*request);
    if (!ticket.ok()) return std::move(ticket).take_status().as_misuse();
    *out = (*ticket).release();
    return {};
  });
}

bento_code event(bento_ticket* ticket, bento_event* out, bento_error* error) {
  return answer_plugin(error, [&]() -> Status {
    Status status = check_size(out, "bento_event");
    if (status.ok()) status = ticket->event(out);
    // How the server has failed is no mistake of the plugin's; the rest is.
    const bool is_misuse =
        status.code() == BENTO_FAILED_PRECONDITION || status.code() == BENTO_INVALID_ARGUMENT;
    return is_misuse ? std::move(status).as_misuse() : status;
  });
}

}  // namespace

const bento_http_client& http_client_table() {
  static const bento_http_client kTable{sizeof(bento_http_client), 0, &fetch, &event};
  return kTable;
}

}  // namespace bentohost::plugin
