// An LSTM language model on the words of the Penn Treebank, "medium" configuration, whose state goes on from
// one step to the next.
//
//   example_ptb_lstm --data DIR          DIR holds ptb.train.txt, ptb.valid.txt and ptb.test.txt
//   example_ptb_lstm --data fake         counts from 0 to 49 again and again, to see it run
//
// tensorpack's examples/PennTreebank/PTB-LSTM.py reports the perplexity of TensorFlow's own PTB example,
// whose medium model it is. On purpose different: texts are read by a dataflow rather than by operators of
// the graph, and nothing is downloaded.

#include "examples/PennTreebank/ptb_lstm.h"

#include <ATen/ops/tensor.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

using namespace belfry;

namespace {

std::vector<std::string> read_words(const std::string& folder, const std::string& name) {
  std::vector<std::string> words;
  if (folder == "fake") {
    for (int i = 0; i < 20000; ++i) words.push_back(fmt::format("{}", i % 50));
    return words;
  }
  const std::string path = fmt::format("{}/ptb.{}.txt", folder, name);
  std::ifstream file(path);
  if (!file) throw DataError(fmt::format("[ptb_lstm] expected a text file, got '{}'", path));
  for (std::string line, word; std::getline(file, line); words.emplace_back("<eos>")) {
    std::istringstream in(line);
    while (in >> word) words.push_back(word);
  }
  return words;
}

/// A number for each word, the most frequent first.
std::map<std::string, int> build_vocab(const std::vector<std::string>& words) {
  std::map<std::string, int> counts, word_to_id;
  for (const std::string& word : words) ++counts[word];
  std::vector<std::pair<std::string, int>> pairs(counts.begin(), counts.end());
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [word, count] : pairs) word_to_id.emplace(word, static_cast<int>(word_to_id.size()));
  return word_to_id;
}

/// The text in `batch` pieces side by side, `num_steps` words of each at a time: {words, the ones after
/// each}.
AnyDataFlow ptb_producer(const std::vector<std::string>& words, const std::map<std::string, int>& word_to_id,
                         const ptb_lstm::Param& param) {
  std::vector<int> ids;
  for (const std::string& word : words) {
    if (const auto known = word_to_id.find(word); known != word_to_id.end()) ids.push_back(known->second);
  }
  const int64_t batch_len = static_cast<int64_t>(ids.size()) / param.batch, steps = param.seq_len;
  const int64_t epoch_size = (batch_len - 1) / steps;
  if (epoch_size < 1)
    throw DataError(fmt::format("[ptb_lstm] expected a text of {} words or more, got {}",
                                param.batch * (steps + 1), ids.size()));
  const at::Tensor data =
      at::tensor(ids, at::kInt).narrow(0, 0, param.batch * batch_len).view({param.batch, batch_len});
  std::vector<Datapoint> batches;
  for (int64_t i = 0; i < epoch_size; ++i)
    batches.push_back({data.narrow(1, i * steps, steps), data.narrow(1, i * steps + 1, steps)});
  return DataFromList(batches);
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, log_dir = "train_log/ptb_lstm";
  int64_t epochs = 70;
  ptb_lstm::Param param;
  CLI::App app("Trains a language model on the Penn Treebank.");
  app.add_option("--data", folder, "folder of ptb.train.txt and the others, or 'fake'")->required();
  app.add_option("--load", load, "model to load");
  app.add_option("--hidden-size", param.hidden_size)->capture_default_str();
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const std::vector<std::string> words = read_words(folder, "train");
  const std::map<std::string, int> word_to_id = build_vocab(words);
  param.vocab_size = static_cast<int64_t>(word_to_id.size());
  auto data = [&](const std::string& name) {
    return ptb_producer(read_words(folder, name), word_to_id, param);
  };
  ptb_lstm::Model model(param);
  auto reset = [&] { return RunOp([&] { return model.reset_lstm_state(); }); };
  auto put_perplexity = [&](Callback& self) {
    Monitors& monitors = self.trainer().monitors();
    for (const std::string name : {"validation", "test"}) {
      if (const auto cost = monitors.get_latest(name + "_cost"))
        monitors.put_scalar(name + "_perplexity", std::exp(cost->value / static_cast<double>(param.seq_len)));
    }
  };
  SimpleTrainer trainer;
  StopOnSignal stop_on_signal(trainer);
  launch_train_with_config(
      {.model = model,
       .data = QueueInput(ptb_producer(words, word_to_id, param)),
       .max_epoch = epochs,
       .callbacks = callbacks(
           ModelSaver(),
           HyperParamSetterWithFunc("learning_rate",
                                    [](int64_t e, double x) { return e > 6 ? x * 0.80 : x; }),
           reset(), InferenceRunner(data("valid"), {ScalarStats("cost")}), reset(),
           InferenceRunner(data("test"), {ScalarStats("cost", "test")}, {.tower_name = "InferenceTowerTest"}),
           reset(), CallbackFactory({.trigger = put_perplexity})),
       .session_init = SmartInit(load),
       .log_dir = log_dir},
      trainer);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
