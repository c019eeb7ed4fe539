// ReadinessProbe: asks a starting app with a GET request until it answers with a whole HTTP
// response head, whatever the status: an app need not have a page for this. All on one loop, which
// does not wait.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/loop/timer_queue.h"
#include "base/unique_fd.h"

namespace bentohost::upstream {

class ReadinessProbe final : private Timer::Owner {
 public:
  class Owner {
   public:
    // Once. The owner may destroy the probe in here.
    virtual void on_answer(const std::string& address, int http_status) = 0;

   protected:
    ~Owner() = default;
  };

  // The app will answer at one of the addresses (see app_servers.h). `target` is what is asked for,
  // "/".
  ReadinessProbe(EventLoop& loop, std::vector<std::string> addresses, const std::string& target,
                 Owner& owner);
  ~ReadinessProbe();
  void start();

  // For the message when it never answers: "nothing listens", "it accepted a connection, and sent
  // no response". One of few constants.
  const char* state() const { return state_; }

 private:
  // Between attempts: a fiftieth of the time that the start has taken, so that the probe prolongs
  // it by 2 % at most. An answer is noticed at once.
  static constexpr Duration kShortestInterval = std::chrono::milliseconds(2);
  static constexpr Duration kLongestInterval = std::chrono::milliseconds(40);
  static constexpr int kFractionOfStart = 50;

  void on_timer() override { attempt(); }
  void attempt();
  bool connect_to(const std::string& address);
  void on_events();
  bool send_request();
  void read_response();
  void retry(const char* state);
  void disconnect();

  EventLoop& loop_;
  const std::vector<std::string> addresses_;
  const std::string request_;
  Owner& owner_;
  Timer timer_;
  TimePoint started_{};
  std::size_t next_ = 0;  // of addresses_
  std::string address_;   // of socket_
  UniqueFd socket_;
  std::size_t sent_ = 0;
  std::string received_;
  const char* state_ = "nothing listened";
};

// [any] The status of the final response whose head is complete at the beginning of `bytes`; 0:
// more bytes are needed; -1: this is no HTTP/1 response. Skips 1xx responses. Pure.
int status_of_response(std::string_view bytes);

}  // namespace bentohost::upstream
