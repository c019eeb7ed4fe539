// An OpenSSL BIO over a socket, for what OpenSSL's own (BIO_s_socket) does not do: it never raises
// SIGPIPE and never blocks, whatever the descriptor's flags, and it remembers whether the socket
// still held bytes when it was last read. One thread at a time. See BIO_meth_new(3).
#pragma once

struct bio_st;  // OpenSSL's BIO

namespace bentohost::http {

struct BioSocket {
  int fd;                // not closed
  bool drained = false;  // the last recv() got less than it asked for: an event tells of more
  bool at_end = false;   // the peer has sent FIN
};

// `socket` outlives it. Null: no memory.
bio_st* new_socket_bio(BioSocket& socket);

}  // namespace bentohost::http
