// What libtorch can do and tch does not expose. Every function catches: no exception crosses into Rust.

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>

namespace {
// Copies an error's text, cut to `capacity` and always terminated.
void report(const char* what, char* text, size_t capacity) {
  if (capacity == 0) return;
  const size_t n = std::min(std::strlen(what), capacity - 1);
  std::memcpy(text, what, n);
  text[n] = '\0';
}
}  // namespace

extern "C" {

// Opens inference mode on this thread: no autograd bookkeeping, no version counters. Null on failure.
void* tacet_inference_enter() {
  try {
    return new c10::InferenceMode(true);
  } catch (...) {
    return nullptr;
  }
}

// Closes what tacet_inference_enter opened, on the same thread, innermost first.
void tacet_inference_leave(void* guard) { delete static_cast<c10::InferenceMode*>(guard); }

// Full float32 in cuDNN and cuBLAS: TF32 alone costs about 30 dB of parity.
void tacet_forbid_tf32() {
  try {
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setAllowTF32CuBLAS(false);
  } catch (...) {
  }
}

// The address of something inside c10, by which libtorch's folder is found.
const void* tacet_libtorch_address() {
  return reinterpret_cast<const void*>(static_cast<bool (*)()>(&c10::InferenceMode::is_enabled));
}

// Waits until the accelerator has done all it was given. 0, or 1 with a text.
int32_t tacet_synchronize(int32_t index, char* text, size_t capacity) {
  try {
    at::accelerator::synchronizeDevice(static_cast<c10::DeviceIndex>(index));
    return 0;
  } catch (const std::exception& e) {
    report(e.what(), text, capacity);
  } catch (...) {
    report("unknown C++ exception", text, capacity);
  }
  return 1;
}

}  // extern "C"
