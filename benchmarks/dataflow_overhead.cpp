// What a stage of a dataflow costs for each datapoint, apart from the work it is given. The column CPU is the
// time of all threads together. benchmarks/peers/tensorpack_dataflow.py measures tensorpack's stages in the
// same way.
//
// Tiny datapoints of two scalars:
//   List          the source alone: subtract it from the others
//   Map, Map3     one and three MapData stages that do nothing
//   RandomMap     a function that draws one number from the Rng it is given
//   Batch         BatchData of 128
//   Prefetch      one thread, buffer of 64
//   ParallelMap   MultiThreadMapData with 1, 2 and 8 threads, default buffer
//   Skip          stepping over a pass of Map and Batch, as when training is resumed
//
// Images of [224, 224, 3] uint8, filled with one value by the function, in batches of 64, 2 threads:
//   MapThenBatch  BatchData of MultiThreadMapData
//   MapAndBatch   MultiThreadMapAndBatchData: no copy into the batch

#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>
#include <benchmark/benchmark.h>

#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/parallel_map_and_batch_data.h"
#include "belfry/dataflow/parallel_map_data.h"
#include "belfry/dataflow/prefetch_data.h"
#include "belfry/dataflow/raw.h"

namespace belfry {
namespace {

constexpr int64_t kCount = 12800;

DataFromList source(int64_t count = kCount) {
  return DataFromList(
      std::vector<Datapoint>(static_cast<size_t>(count), {at::scalar_tensor(1), at::scalar_tensor(2)}));
}

Datapoint same(Datapoint datapoint) {
  return datapoint;
}

void count_datapoints(benchmark::State& state, int64_t in_a_pass) {
  state.SetItemsProcessed(state.iterations() * in_a_pass);
  state.counters["s_per_datapoint"] =
      benchmark::Counter(static_cast<double>(state.iterations() * in_a_pass),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void pass_over(benchmark::State& state, AnyDataFlow flow, int64_t in_a_pass = kCount) {
  for (auto _ : state) {
    for (Datapoint& datapoint : flow->iterator()) benchmark::DoNotOptimize(datapoint);
  }
  count_datapoints(state, in_a_pass);
}

void List(benchmark::State& state) {
  pass_over(state, source());
}
void Map(benchmark::State& state) {
  pass_over(state, MapData(source(), same));
}
void Map3(benchmark::State& state) {
  pass_over(state, MapData(MapData(MapData(source(), same), same), same));
}
void RandomMap(benchmark::State& state) {
  pass_over(state, MapData(source(), [](Datapoint datapoint, Rng& rng) {
              benchmark::DoNotOptimize(rng.bits());
              return datapoint;
            }));
}
void Batch(benchmark::State& state) {
  pass_over(state, BatchData(source(), 128));
}
void Prefetch(benchmark::State& state) {
  pass_over(state, PrefetchData(source(), 64));
}
void ParallelMap(benchmark::State& state) {
  pass_over(state, MultiThreadMapData(source(), state.range(0), same));
}
void Skip(benchmark::State& state) {
  BatchData flow(MapData(source(), same), 128);
  for (auto _ : state) benchmark::DoNotOptimize(flow.iterator().skip(kCount / 128));
  count_datapoints(state, kCount);
}

constexpr int64_t kImages = 640;

void MapThenBatch(benchmark::State& state) {
  auto draw = [](Datapoint) { return Datapoint{at::full({224, 224, 3}, 7, at::kByte)}; };
  pass_over(state, BatchData(MultiThreadMapData(source(kImages), 2, draw), 64), kImages);
}
void MapAndBatch(benchmark::State& state) {
  auto draw = [](const Datapoint&, const Datapoint& out, Rng&) { out[0].fill_(7); };
  pass_over(
      state,
      MultiThreadMapAndBatchData(
          source(kImages), draw,
          {.num_thread = 2, .batch_size = 64, .components = {{.shape = {224, 224, 3}, .dtype = at::kByte}}}),
      kImages);
}

BENCHMARK(List)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(Map)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(Map3)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(RandomMap)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(Batch)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(Prefetch)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(ParallelMap)->Arg(1)->Arg(2)->Arg(8)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(Skip)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(MapThenBatch)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(MapAndBatch)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace
}  // namespace belfry

BENCHMARK_MAIN();
