#include "http/parse/inflater.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>

#include "http/syntax.h"

namespace bentohost::http {
namespace {

constexpr std::size_t kMaxQuoted = 80;  // bytes of a client's text in an error

Status refuse(std::uint32_t http_status, std::string message) {
  return Status::with_http(http_status, BENTO_INVALID_ARGUMENT, std::move(message));
}

Status corrupt(const z_stream& stream) {
  std::string message = "the compressed body is corrupt";
  if (stream.msg != nullptr) message.append(": ").append(stream.msg);
  return refuse(400, std::move(message));
}

// Grows `out` by doubling, as string::append() does, but not beyond `max`.
void append(std::string& out, std::string_view bytes, std::size_t max) {
  const std::size_t size = out.size() + bytes.size();
  if (size > out.capacity()) {
    std::string larger;
    larger.reserve(std::max(size, std::min(2 * out.capacity(), max)));
    larger.append(out);
    out.swap(larger);
  }
  out.append(bytes);
}

// The low half of a zlib header's first byte is 8: deflate. In a bare stream, that would be the
// start of a stored block with padding that is not zero, which no encoder writes.
bool is_zlib(char first) { return (first & 0x0f) == 8; }

}  // namespace

void Inflater::Closer::operator()(z_stream* stream) const {
  inflateEnd(stream);
  delete stream;
}

Result<Inflater> Inflater::create(std::string_view content_encoding, InflateLimits limits) {
  Coding coding = Coding::kIdentity;
  bool is_known = true;
  for_each_member(content_encoding, [&](std::string_view name) {
    if (equals_ignoring_case(name, "identity")) return;
    is_known &= coding == Coding::kIdentity;
    if (equals_ignoring_case(name, "gzip") || equals_ignoring_case(name, "x-gzip")) {
      coding = Coding::kGzip;
    } else if (equals_ignoring_case(name, "deflate")) {
      coding = Coding::kDeflate;
    } else {
      is_known = false;
    }
  });
  if (is_known) return Inflater(coding, limits);
  return refuse(415, "Content-Encoding \"" + std::string(content_encoding.substr(0, kMaxQuoted)) +
                         "\" is not supported; use gzip or deflate");
}

Result<Inflater> Inflater::create(const Headers& headers, InflateLimits limits) {
  return create(joined_header(headers, "content-encoding"), limits);
}

Status Inflater::feed(std::string_view bytes, std::string& out) {
  return feed_some(bytes, std::numeric_limits<std::size_t>::max(), out).take_status();
}

Result<std::size_t> Inflater::feed_some(std::string_view bytes, std::size_t enough,
                                        std::string& out) {
  const std::size_t given = bytes.size(), size = out.size();
  if (coding_ == Coding::kIdentity) {
    if (Status status = copy(bytes, out); !status.ok()) return status;
    return given;
  }
  while (!bytes.empty() && out.size() - size < enough) {
    if (Status status = begin(bytes.front()); !status.ok()) return status;
    if (Status status = step(bytes, out); !status.ok()) return status;
  }
  return given - bytes.size();
}

Status Inflater::finish() const {
  if (state_ != State::kInside) return Status();
  return refuse(400, "the compressed body ends before its data does");
}

Status Inflater::copy(std::string_view bytes, std::string& out) {
  if (bytes.size() > limits_.max_body - total_out_) return too_large("is larger");
  total_out_ += bytes.size();
  append(out, bytes, limits_.max_body);
  return Status();
}

// Gets ready for input that starts with `first`.
Status Inflater::begin(char first) {
  if (state_ == State::kInside) return Status();
  if (state_ == State::kStart) {
    if (Status status = allocate(first); !status.ok()) return status;
  } else {
    if (coding_ != Coding::kGzip || first != '\x1f') {
      return refuse(400, "there are bytes after the end of the compressed body");
    }
    inflateReset(stream_.get());
  }
  state_ = State::kInside;
  return Status();
}

Status Inflater::allocate(char first) {
  int format = 15 + 16;  // zlib's numbers: a 32 KiB window, and a gzip header
  if (coding_ == Coding::kDeflate) format = is_zlib(first) ? 15 : -15;
  auto stream = std::unique_ptr<z_stream>(new (std::nothrow) z_stream());
  if (stream == nullptr || inflateInit2(stream.get(), format) != Z_OK) {
    return Status(BENTO_RESOURCE_EXHAUSTED, "out of memory");
  }
  stream_.reset(stream.release());
  return Status();
}

// zlib stops when it needs room or input, or at the end. If input is left, it needs room, and only
// then are the limits checked: it has then taken exactly the bytes that the next output needs,
// however the input was cut into pieces.
Status Inflater::step(std::string_view& bytes, std::string& out) {
  std::array<char, kStep> made;
  const std::size_t given = std::min<std::size_t>(bytes.size(), std::numeric_limits<uInt>::max());
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream_->avail_in = static_cast<uInt>(given);
  stream_->next_out = reinterpret_cast<Bytef*>(made.data());
  stream_->avail_out = static_cast<uInt>(room_);
  const int result = inflate(stream_.get(), Z_NO_FLUSH);
  const std::size_t taken = given - stream_->avail_in;
  const std::size_t size = room_ - stream_->avail_out;
  total_in_ += taken;
  total_out_ += size;
  room_ -= size;
  bytes.remove_prefix(taken);
  append(out, {made.data(), size}, limits_.max_body);

  switch (result) {
    case Z_STREAM_END:
      state_ = State::kEnded;
      return Status();
    case Z_OK:
    case Z_BUF_ERROR:  // no progress without more room or input
      return stream_->avail_in > 0 ? grant() : Status();
    case Z_NEED_DICT:
      return refuse(400, "the compressed body needs a preset dictionary");
    case Z_MEM_ERROR:
      return Status(BENTO_RESOURCE_EXHAUSTED, "out of memory");
    default:
      return corrupt(*stream_);
  }
}

// Allows the next step of output, if it is within the limits.
Status Inflater::grant() {
  if (total_out_ >= limits_.max_body) return too_large("inflates to more");
  const bool is_judged = limits_.max_ratio > 0 && total_out_ >= kFreeInflation;
  if (is_judged && total_out_ / limits_.max_ratio > total_in_) {
    return refuse(413, "the body inflates to more than " + std::to_string(limits_.max_ratio) +
                           " times its compressed size");
  }
  room_ = std::min(kStep, limits_.max_body - static_cast<std::size_t>(total_out_));
  return Status();
}

Status Inflater::too_large(std::string_view how) const {
  std::string message = "the body ";
  return refuse(413, message.append(how) + " than " + std::to_string(limits_.max_body) + " bytes");
}

}  // namespace bentohost::http
