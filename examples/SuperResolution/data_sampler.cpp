// Stores the images of a zip file, cut to squares of 256 x 256, in an LMDB database, after tensorpack's
// examples/SuperResolution/data_sampler.py.
//
//   example_data_sampler --input train2017.zip --lmdb train2017.lmdb --create
//   example_data_sampler --input train2017.zip --debug          writes some of them into the folder "debug"
//
// train2017.zip is that of COCO. tensorpack reads the database with TENSORPACK_SERIALIZE=msgpack in its
// environment, and this project reads tensorpack's.

#include "examples/SuperResolution/data_sampler.h"

#include <CLI/CLI.hpp>

#include "belfry/belfry.h"

using namespace belfry;

int main(int argc, char** argv) try {
  std::string input, lmdb;
  bool create = false, debug = false;
  CLI::App app("Stores images for enet_pat.");
  app.add_option("--input", input, "COCO's zip file")->required();
  app.add_option("--lmdb", lmdb, "the new database");
  app.add_flag("--create", create, "create the database");
  app.add_flag("--debug", debug, "write 20 of the images to debug/");
  CLI11_PARSE(app, argc, argv);
  if (create && lmdb.empty()) throw UsageError("[data_sampler] expected --lmdb, the database to create");

  const MultiThreadMapData ds(
      enet_pat::ImageDataFromZIPFile(input), 4, [](const Datapoint& dp) -> std::optional<Datapoint> {
        const auto img = enet_pat::reject_too_small_images(enet_pat::image_decode(dp[0]));
        if (!img) return std::nullopt;
        return Datapoint{enet_pat::center_square_resize(*img)};
      });
  if (create) LMDBSerializer::save(MapDataComponent(ds, enet_pat::image_encode), lmdb);
  if (debug) viz::dump_dataflow_images(ds, "debug", {.batched = false, .number = 20});
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
