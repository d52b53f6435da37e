// CUDA graphs: records a step's kernels once and replays them with one launch. A library of its own, opened after
// libtorch_cuda, so that the backend itself needs no CUDA. Every function catches: no exception crosses into Rust.

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>

namespace {

struct Graph {
  at::cuda::CUDAGraph graph;
  c10::cuda::CUDAStream side;
  c10::cuda::CUDAStream before;
  explicit Graph(c10::DeviceIndex device)
      : side(c10::cuda::getStreamFromPool(false, device)), before(c10::cuda::getCurrentCUDAStream(device)) {}
};

void report(const char* what, char* text, size_t capacity) {
  if (capacity == 0) return;
  const size_t n = std::min(std::strlen(what), capacity - 1);
  std::memcpy(text, what, n);
  text[n] = '\0';
}

template <typename F>
int32_t guarded(char* text, size_t capacity, F&& body) {
  try {
    body();
    return 0;
  } catch (const std::exception& e) {
    report(e.what(), text, capacity);
  } catch (...) {
    report("unknown C++ exception", text, capacity);
  }
  return 1;
}

}  // namespace

#define EXPORT __attribute__((visibility("default")))

extern "C" {

// Makes a graph and moves this thread to its side stream, where the caller warms up before it records.
EXPORT int32_t tacet_graph_new(int32_t device, Graph** out, char* text, size_t capacity) {
  return guarded(text, capacity, [&] {
    auto* graph = new Graph(static_cast<c10::DeviceIndex>(device));
    graph->before.synchronize();
    c10::cuda::setCurrentCUDAStream(graph->side);
    *out = graph;
  });
}

// Starts recording what this thread launches. Other threads may go on using CUDA.
EXPORT int32_t tacet_graph_begin(Graph* graph, char* text, size_t capacity) {
  return guarded(text, capacity, [&] {
    graph->side.synchronize();
    graph->graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
  });
}

// Ends recording. Also the way out after a failure in the middle: then it reports that failure once more.
EXPORT int32_t tacet_graph_end(Graph* graph, char* text, size_t capacity) {
  return guarded(text, capacity, [&] { graph->graph.capture_end(); });
}

// Moves this thread back to the stream it used before tacet_graph_new.
EXPORT int32_t tacet_graph_leave(Graph* graph, char* text, size_t capacity) {
  return guarded(text, capacity, [&] {
    graph->side.synchronize();
    c10::cuda::setCurrentCUDAStream(graph->before);
  });
}

// Launches the recorded work on the current stream.
EXPORT int32_t tacet_graph_replay(Graph* graph, char* text, size_t capacity) {
  return guarded(text, capacity, [&] { graph->graph.replay(); });
}

EXPORT void tacet_graph_free(Graph* graph) {
  try {
    delete graph;
  } catch (...) {
  }
}

}  // extern "C"
