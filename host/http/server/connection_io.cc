#include "http/server/connection_io.h"

#include <sys/epoll.h>

#include <algorithm>

namespace bentohost::http {
namespace {

// The most memory that a connection keeps between requests.
constexpr std::size_t kKeptBytes = 4u << 10;
constexpr std::size_t kKeptOutput = 4u << 10;
constexpr std::size_t kMaxLingerBytes = 1u << 20;

void shrink(std::string& text, std::size_t kept) {
  text.clear();
  if (text.capacity() > kept) std::string().swap(text);
}

}  // namespace

void ConnectionIo::open() { connection_opened(fd()); }

void ConnectionIo::close() {
  connection_closed(fd());
  transport_.reset();
  unread_ = {};
}

void ConnectionIo::on_events(std::uint32_t epoll_events) {
  // TLS may have to write before it can read: then a writable socket may be readable, too.
  if (epoll_events != EPOLLOUT || is_secure_) readable_ = true;
  if ((epoll_events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) has_ended_ = true;
}

Received ConnectionIo::receive(std::span<char> buffer) {
  park();  // unread bytes may lie where the next bytes will be written
  const Received received = transport_->read(buffer.data(), buffer.size());
  switch (received.kind) {
    case Received::Kind::kAgain:
      readable_ = false;
      break;
    case Received::Kind::kEnd:
      readable_ = false;
      has_ended_ = true;
      break;
    case Received::Kind::kPlain:
      transport_ = transport_->without_tls();
      is_secure_ = false;
      break;
    case Received::Kind::kBytes:
      // After a short read, only the end of input can be pending without a further event.
      readable_ = received.more || has_ended_;
      break;
    case Received::Kind::kBroken:
      break;
  }
  return received;
}

Received::Kind ConnectionIo::read(std::span<char> buffer) {
  const Received received = receive(buffer);
  if (received.kind != Received::Kind::kBytes) return received.kind;
  if (unread_.empty()) {
    unread_ = {buffer.data(), received.size};
  } else {
    in_.append(buffer.data(), received.size);
    unread_ = in_;
  }
  return received.kind;
}

Received::Kind ConnectionIo::drop(std::span<char> buffer) {
  const Received received = receive(buffer);
  if (received.kind != Received::Kind::kBytes) return received.kind;
  dropped_ += received.size;
  return dropped_ > kMaxLingerBytes ? Received::Kind::kBroken : received.kind;
}

// Makes in_ hold the unread bytes, and nothing else.
void ConnectionIo::keep_unread() {
  if (unread_.empty()) {
    shrink(in_, kKeptBytes);
  } else if (in_.empty()) {
    in_.assign(unread_);
  } else {
    in_.erase(0, static_cast<std::size_t>(unread_.data() - in_.data()));
  }
  unread_ = in_;
}

void ConnectionIo::append_body(std::string&& body) {
  if (body.size() <= kMaxCopied) {
    out_ += body;
  } else {
    out_body_ = std::move(body);
  }
}

ConnectionIo::Flush ConnectionIo::flush(TimePoint now) {
  if (unsent() > 0) {
    // The process is crashing, and the crash has answered the client.
    if (std::exchange(is_awaited_, false) && !claim_answer(fd())) return Flush::kBroken;
    const Sent sent = transport_->write(std::string_view(out_).substr(out_sent_),
                                        std::string_view(out_body_).substr(body_sent_));
    if (sent.broken) return Flush::kBroken;
    const std::size_t of_head = std::min(sent.size, out_.size() - out_sent_);
    out_sent_ += of_head;
    body_sent_ += sent.size - of_head;
    if (unsent() > 0) {
      if (!write_wait_.is_waiting()) {
        write_wait_ = {now, now, 0};
      } else if (sent.size > 0) {
        write_wait_.progress = now;
        write_wait_.bytes += sent.size;
      }
      return Flush::kWaits;
    }
  }
  if (out_.empty()) return Flush::kIdle;
  shrink(out_, kKeptOutput);
  if (!out_body_.empty()) std::string().swap(out_body_);
  out_sent_ = body_sent_ = 0;
  write_wait_.since = {};
  return Flush::kSent;
}

void ConnectionIo::linger() {
  transport_->shutdown_writing();
  dropped_ = 0;
  unread_ = {};
}

}  // namespace bentohost::http
