// Crash responses: a table of the requests on plain connections that wait for the first byte of
// their response, which a signal handler can read: when the process crashes, it answers each of
// them 503. Either the connection or the crash claims a response, never both. Keyed by descriptor;
// any thread; the functions do nothing before prepare_crash_responses().
//
// The other threads run on until the process has gone: requests that they begin meanwhile are
// answered the same way, and new connections are left to the next process.
#pragma once

namespace bentohost::http {

// Call it once, after the process's limit of descriptors is set and before connections are open.
void prepare_crash_responses();

// To be called at the beginning and at the end of each connection, plain or not.
void connection_opened(int fd);
void connection_closed(int fd);

// From now on a crash answers the request on `fd`. `head_only`: it is a HEAD request.
void await_answer(int fd, bool head_only);
// Ends that: the caller answers the request. False: the process is crashing, and has answered it.
bool claim_answer(int fd);

// True once send_crash_responses() has begun: nothing new must be started.
bool are_crash_responses_sent();
// [signal handler] Answers all waiting requests and shuts down our side of their connections.
void send_crash_responses();
// [signal handler] Shuts down our side of all connections, whatever they are sending: before a core
// dump, which may take long, so that no client waits until the dump is written.
void end_connections();

}  // namespace bentohost::http
