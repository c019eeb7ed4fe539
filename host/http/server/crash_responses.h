// Last words: the requests of plain connections that wait for the first byte of their answer, in a
// form that a signal handler can read: when the process crashes, each of them is answered 503
// before it goes. An answer is begun by whoever claims it first, the connection or the crash, and
// never by both. By descriptor; any thread; nothing happens before prepare_crash_responses().
//
// The other threads run on until the process has gone: what they take up meanwhile is answered the
// same way, and new connections are left to the next process.
#pragma once

namespace bentohost::http {

// Once, before connections are open, when the process's limit of descriptors is set.
void prepare_crash_responses();

// A connection, plain or not, from its beginning to its end.
void connection_opened(int fd);
void connection_closed(int fd);

// From now on a crash answers the request on `fd`. `head_only`: it was a HEAD.
void await_answer(int fd, bool head_only);
// No longer: the caller answers it. False: the process is crashing, and has answered.
bool claim_answer(int fd);

// They have been, or are being: nothing new is to be begun.
bool are_crash_responses_sent();
// [signal handler] Answers all of them and ends what we send on their connections.
void send_crash_responses();
// [signal handler] Ends what we send on all connections, whatever is under way on them: before a
// core dump, which may take long, so that no client waits for its end.
void end_connections();

}  // namespace bentohost::http
