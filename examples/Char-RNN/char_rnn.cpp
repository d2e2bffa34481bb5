// A character-level language model: two layers of LSTM.
//
//   example_char_rnn train --corpus input.txt
//   example_char_rnn sample --corpus input.txt --load train_log/char_rnn/checkpoint -n 300 -s 'The '
//   example_char_rnn train --data fake --epochs 1          counts from 0 to 9 again and again
//
// tensorpack's examples/Char-RNN/char-rnn.py shows texts that it wrote rather than a number. On purpose
// different: the corpus is an option of both commands, and all of the given start is fed before sampling.

#include "examples/Char-RNN/char_rnn.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>

using namespace belfry;

namespace {

/// A text, as numbers of its characters, the most frequent first.
struct Corpus {
  std::string chars;
  std::map<char, int> char2idx;
  at::Tensor whole_seq;
};

Corpus read_corpus(const std::string& path) {
  std::string text;
  if (path == "fake") {
    for (int i = 0; i < 1000; ++i) text += "0123456789";
  } else {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw DataError(fmt::format("[char_rnn] expected a text file, got '{}'", path));
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) >= 128; });

  std::map<char, int> counts;
  for (const char c : text) ++counts[c];
  Corpus corpus;
  for (const auto& [c, count] : counts) corpus.chars += c;
  std::stable_sort(corpus.chars.begin(), corpus.chars.end(),
                   [&](char a, char b) { return counts[a] > counts[b]; });
  for (const char c : corpus.chars) corpus.char2idx.emplace(c, static_cast<int>(corpus.char2idx.size()));
  std::vector<int> numbers;
  for (const char c : text) numbers.push_back(corpus.char2idx[c]);
  corpus.whole_seq = at::tensor(numbers, at::kInt);
  return corpus;
}

/// Pieces of the corpus, from random places: {characters, the ones after each}.
AnyDataFlow char_rnn_data(const Corpus& corpus, int64_t seq_len, int64_t size) {
  const at::Tensor whole = corpus.whole_seq;
  if (whole.numel() < seq_len + 2)
    throw DataError(fmt::format("[char_rnn] expected a corpus of {} characters or more, got {}", seq_len + 2,
                                whole.numel()));
  auto start_pass = [=, pass = uint64_t{0}]() mutable {
    return [=, rng = Rng(pass++), left = size]() mutable -> std::optional<Datapoint> {
      if (left-- <= 0) return std::nullopt;
      const auto st = static_cast<int64_t>(rng.below(static_cast<uint64_t>(whole.numel() - seq_len - 1)));
      return Datapoint{whole.narrow(0, st, seq_len), whole.narrow(0, st + 1, seq_len)};
    };
  };
  return DataFromFunction(start_pass, size);
}

void sample(char_rnn::Param param, const Corpus& corpus, const std::string& path, const std::string& start,
            int64_t length) {
  param.seq_len = 1;
  std::vector<std::string> inputs = {"input"};
  std::vector<at::Tensor> feeds(1);
  for (int64_t k = 0; k < param.num_rnn_layer; ++k) {
    for (const char* part : {"c", "h"}) {
      inputs.push_back(fmt::format("{}{}", part, k));
      feeds.push_back(at::zeros({1, param.rnn_size}));
    }
  }
  const OfflinePredictor pred({.model = char_rnn::Model(param),
                               .session_init = SmartInit(path),
                               .inputs = inputs,
                               .outputs = {"prob", "last_state"}});
  auto next = [&](char c) {
    const auto known = corpus.char2idx.find(c);
    if (known == corpus.char2idx.end())
      throw UsageError(fmt::format("[char_rnn] expected a character of the corpus, got '{}'", c));
    feeds[0] = at::tensor({known->second}, at::kInt).view({1, 1});
    const std::vector<at::Tensor> out = pred(feeds);
    const at::Tensor states = out[1].flatten(0, 1);
    for (int64_t i = 0; i < states.size(0); ++i) feeds[static_cast<size_t>(i) + 1] = states[i];
    return out[0][0].contiguous();
  };

  at::Tensor prob;
  for (const char c : start) prob = next(c);
  std::mt19937 random(std::random_device{}());
  std::string ret = start;
  for (int64_t i = 0; i < length; ++i) {
    const float* p = prob.data_ptr<float>();
    ret += corpus.chars[static_cast<size_t>(std::discrete_distribution<int>(p, p + prob.numel())(random))];
    prob = next(ret.back());
  }
  fmt::print("{}\n", ret);
}

}  // namespace

int main(int argc, char** argv) try {
  std::string load, corpus_file = "input.txt", start = "The ", log_dir = "train_log/char_rnn";
  int64_t num = 300, epochs = 50, size = 100000;
  char_rnn::Param param;
  CLI::App app("A character-level language model.");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--load", load, "model to load");
  app.add_option("--corpus,--data", corpus_file, "corpus file, or 'fake'")->capture_default_str();
  CLI::App* parser_sample = app.add_subcommand("sample", "sample a trained model");
  parser_sample->add_option("-n,--num", num, "length of text to generate")->capture_default_str();
  parser_sample->add_option("-s,--start", start, "initial text sequence")
      ->check([](const std::string& s) { return s.empty() ? "expected a text" : ""; })
      ->capture_default_str();
  parser_sample->add_option("-t,--temperature", param.softmax_temprature, "softmax temperature")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI::App* parser_train = app.add_subcommand("train", "train");
  parser_train->add_option("--epochs", epochs)->capture_default_str();
  parser_train->add_option("--size", size, "pieces of text of an epoch")->capture_default_str();
  parser_train->add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const Corpus corpus = read_corpus(corpus_file);
  param.vocab_size = static_cast<int64_t>(corpus.chars.size());
  if (parser_sample->parsed()) {
    sample(param, corpus, load, start, num);
    return 0;
  }
  SimpleTrainer trainer;
  StopOnSignal stop_on_signal(trainer);
  launch_train_with_config(
      {.model = char_rnn::Model(param),
       .data = QueueInput(BatchData(char_rnn_data(corpus, param.seq_len, size), param.batch_size)),
       .max_epoch = epochs,
       .callbacks = callbacks(ModelSaver(), ScheduledHyperParamSetter("learning_rate", {{25, 2e-4}})),
       .session_init = SmartInit(load),
       .log_dir = log_dir},
      trainer);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
