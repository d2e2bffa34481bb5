// What a stage of a dataflow costs for each datapoint, apart from the work it is given: tiny datapoints of
// two scalars.
//
//   List          the source alone: subtract it from the others
//   Map, Map3     one and three MapData stages that do nothing
//   Batch         BatchData of 128
//   Prefetch      one thread, buffer of 64
//   ParallelMap   MultiThreadMapData with 1 and 2 threads

#include <ATen/ops/scalar_tensor.h>
#include <benchmark/benchmark.h>

#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/parallel_map_data.h"
#include "belfry/dataflow/prefetch_data.h"
#include "belfry/dataflow/raw.h"

namespace belfry {
namespace {

constexpr int64_t kCount = 12800;

DataFromList source() {
  return DataFromList(std::vector<Datapoint>(kCount, {at::scalar_tensor(1), at::scalar_tensor(2)}));
}

Datapoint same(Datapoint datapoint) {
  return datapoint;
}

void pass_over(benchmark::State& state, AnyDataFlow flow) {
  for (auto _ : state) {
    for (Datapoint& datapoint : flow->iterator()) benchmark::DoNotOptimize(datapoint);
  }
  state.SetItemsProcessed(state.iterations() * kCount);
  state.counters["s_per_datapoint"] =
      benchmark::Counter(static_cast<double>(state.iterations() * kCount),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
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
void Batch(benchmark::State& state) {
  pass_over(state, BatchData(source(), 128));
}
void Prefetch(benchmark::State& state) {
  pass_over(state, PrefetchData(source(), 64));
}
void ParallelMap(benchmark::State& state) {
  pass_over(state, MultiThreadMapData(source(), state.range(0), same));
}

BENCHMARK(List)->UseRealTime();
BENCHMARK(Map)->UseRealTime();
BENCHMARK(Map3)->UseRealTime();
BENCHMARK(Batch)->UseRealTime();
BENCHMARK(Prefetch)->UseRealTime();
BENCHMARK(ParallelMap)->Arg(1)->Arg(2)->UseRealTime();

}  // namespace
}  // namespace belfry

BENCHMARK_MAIN();
