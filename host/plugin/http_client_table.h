// The bento_http_client that plugins get: calls bento_ctx::fetch() and bento_ticket::event(). Its
// functions: any thread.
#pragma once

#include <bento/abi.h>

namespace bentohost::plugin {

const bento_http_client& http_client_table();

}  // namespace bentohost::plugin
