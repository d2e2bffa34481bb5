/// differential_driver FOLDER FROM TO [--exports]
///
/// Runs the configurations FROM to TO - 1 of FOLDER/spec.json with the arrays of FOLDER/in.npz. Results go to
/// FOLDER/out.FROM.npz, errors to FOLDER/status.FROM.json, models to FOLDER/exports. The number of the
/// configuration that is being run is in FOLDER/at, for the case that it ends the process.
#include <filesystem>
#include <fstream>

#include "tests/differential/driver/job.h"

using namespace belfry;
using namespace belfry::differential;

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const std::string folder = argv[1], from = argv[2];
  const size_t begin = std::stoul(from), end = std::stoul(argv[3]);
  const bool exports = argc > 4 && std::string(argv[4]) == "--exports";
  set_log_level(LogLevel::kError);
  if (exports) std::filesystem::create_directories(folder + "/exports");

  static const std::map<std::string, void (*)(const Job&)> runners = {
      {"operators", run_operators},     {"layers", run_layers}, {"optimizer", run_optimizer},
      {"initializer", run_initializer}, {"random", run_random}, {"inferencer", run_inferencer}};
  const Json specs = Json::parse(std::ifstream(folder + "/spec.json"));
  const auto in = load_checkpoint(folder + "/in.npz");
  std::map<std::string, at::Tensor> out;
  Json status = Json::object();
  for (size_t i = begin; i < std::min(end, specs.size()); ++i) {
    std::ofstream(folder + "/at") << i;
    Json& noted = status[specs[i]["id"].get<std::string>()] = Json::object();
    Job job{specs[i], in, out, noted, exports ? folder + "/exports" : ""};
    job.attempt("driver", [&] { runners.at(specs[i]["runner"])(job); });
  }
  // Inferencers give numbers only.
  if (!out.empty()) save_checkpoint(folder + "/out." + from + ".npz", out);
  std::ofstream(folder + "/status." + from + ".json") << status.dump();
}
