// An OpenSSL BIO over a socket. Unlike OpenSSL's own (BIO_s_socket), it never raises SIGPIPE, never
// blocks, whatever the descriptor's flags are, and remembers whether the last read emptied the
// socket. One thread at a time. See BIO_meth_new(3).
#pragma once

struct bio_st;  // OpenSSL's BIO

namespace bentohost::http {

struct BioSocket {
  int fd;                // not closed
  bool drained = false;  // the last recv() was short: an event announces more
  bool at_end = false;   // the peer has sent FIN
};

// `socket` must outlive the BIO. Null: no memory.
bio_st* new_socket_bio(BioSocket& socket);

}  // namespace bentohost::http
