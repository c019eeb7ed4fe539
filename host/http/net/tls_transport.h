// An end of a TLS connection, as a Transport: the server's, made by TlsContext::accept(), or the
// client's, made by TlsClientContext::connect(). Sources: RFC 8446, section 6.1 (close_notify), and
// OpenSSL's SSL_read(3), SSL_write(3), SSL_shutdown(3) and SSL_get_error(3).
#pragma once

#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "http/net/transport.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace bentohost::http {

// Null: no memory. `ctx` may be freed: the connection keeps a reference.
//
// read(): the handshake comes first, and until it is done a write() takes nothing. So repeat a
// refused write() after a read(), not only after an event. write(): records of up to 16 KiB, each
// filled from both parts. A refused record is kept encrypted: offer the same bytes again, or more,
// but not fewer. shutdown_writing(): if a write() was refused and not repeated, the peer gets FIN
// without close_notify, so that it does not mistake half a response for a whole one. If
// close_notify itself finds no room, the next read() sends it.
std::unique_ptr<Transport> tls_transport(ssl_ctx_st& ctx, UniqueFd fd);

// The same for the client's end: read() begins the handshake. The server's certificate must be for
// `host`, a name or an IP address without brackets. Otherwise the connection is broken, and
// failure() says so: "its certificate has expired". Null: no memory, or `host` is no name.
std::unique_ptr<Transport> tls_client_transport(ssl_ctx_st& ctx, UniqueFd fd,
                                                const std::string& host);

}  // namespace bentohost::http
