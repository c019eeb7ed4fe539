// A batch as a frame, and its result back to the callers. Pure but for the arenas; no locks: a
// batch is encoded and delivered by one thread at a time.
#pragma once

#include <cstddef>
#include <span>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "plugin/description.h"
#include "runner/arenas.h"
#include "runner/call.h"
#include "runner/result.h"
#include "wire/frame.h"

namespace bentohost::runner {

// Writes `batch`, of calls of `method`, as one call frame into `out`: inputs of several calls are
// joined along the batch axis, lists are put one after the other. Large inputs are written into
// arenas, where there are any; those of engines' calls never are, as several are in flight. Returns
// false and leaves `out` empty when the batch does not fit in a frame; the arenas are in use until
// end_batch() in any case.
bool encode_batch(const Batch& batch, const plugin::MethodSpec& method, ArenaSet& arenas,
                  AlignedBuffer& out);

// How many calls were completed.
struct Delivered {
  std::size_t ok = 0, failed = 0;
};
// Completes each unfinished call of `batch` with its part of `result`, which is in `frame`: its
// rows, its values of lists, or its error. If they cannot be handed out (too few rows, ...),
// returns an error and completes no call.
Result<Delivered> deliver_batch(const Batch& batch, const wire::DecodedValues& result,
                                const plugin::MethodSpec& method, ResultFrame& frame);
// Whether a result of a stream, other than its last, can be handed out, and its worker heeds the
// window: a worker's mistakes must not take the memory of this process.
Status check_part(const Call& call, std::span<const bento_value> values,
                  const plugin::MethodSpec& method);

}  // namespace bentohost::runner
