// A spawner without processes: each worker is a set of pipes whose other ends the test holds, so
// that it plays the worker by hand, with no thread and no waiting.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "runner/spawner.h"
#include "wire/frame.h"

namespace bentohost::fakes {

class FakeSpawner final : public runner::Spawner {
 public:
  // The worker's ends of its pipes.
  struct Puppet {
    UniqueFd in, out, err;
    wire::FrameReader reader;

    // The next frame that the host has sent, if one is there.
    std::optional<wire::FrameReader::Frame> receive() {
      const std::span<char> room = reader.writable();
      const ssize_t n = ::read(in.get(), room.data(), room.size());
      if (n > 0) reader.commit(static_cast<std::size_t>(n));
      auto frame = reader.next();
      return frame.ok() ? *frame : std::nullopt;
    }
    void send(const AlignedBuffer& bytes) {
      [[maybe_unused]] const ssize_t n = ::write(out.get(), bytes.data(), bytes.size());
    }
    void say_ready() {
      AlignedBuffer bytes;
      (void)wire::FrameWriter(bytes, wire::FrameType::kReady, 0, 0).finish();
      send(bytes);
    }
    void fail(std::uint64_t id, const Status& status) {
      AlignedBuffer bytes;
      wire::FrameWriter frame(bytes, wire::FrameType::kError, id, 0);
      frame.error(status);
      (void)frame.finish();
      send(bytes);
    }
    // Answers a call with its own first input.
    void echo(const wire::FrameReader::Frame& call, std::uint64_t id) {
      wire::DecodedValues values;
      (void)wire::decode_call(call.body, values);
      AlignedBuffer bytes;
      wire::FrameWriter frame(bytes, wire::FrameType::kResult, id, call.header.method);
      frame.value_count(1);
      frame.value(values.values[0]);
      (void)frame.finish();
      send(bytes);
    }
    void die() {
      in.reset();
      out.reset();
      err.reset();
    }
  };

  Result<runner::Child> spawn(const std::string&, std::uint32_t) override {
    if (refuse) return Status(BENTO_INTERNAL, "told not to spawn");
    int to[2], from[2], err[2];
    if (::pipe2(to, O_NONBLOCK | O_CLOEXEC) != 0 || ::pipe2(from, O_NONBLOCK | O_CLOEXEC) != 0 ||
        ::pipe2(err, O_NONBLOCK | O_CLOEXEC) != 0) {
      return Status(BENTO_INTERNAL, "no pipes");
    }
    auto puppet = std::make_unique<Puppet>();
    puppet->in.reset(to[0]);
    puppet->out.reset(from[1]);
    puppet->err.reset(err[1]);
    puppets.push_back(std::move(puppet));
    runner::Child child;
    child.to.reset(to[1]);
    child.from.reset(from[0]);
    child.err.reset(err[0]);
    return child;
  }

  bool refuse = false;
  std::vector<std::unique_ptr<Puppet>> puppets;  // in the order of their start
};

}  // namespace bentohost::fakes
